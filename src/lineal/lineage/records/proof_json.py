"""A proof of inclusion as a file: read as if an enemy had written it, and worth only what it adds up to."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.content.inclusion import InclusionProof
from lineal.checkpoint.reader import read_json
from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash, parse_hash
from lineal.errors import CheckpointError
from lineal.schema_faults import schema_faults

FORMAT = "lineal.proof.1"

_Hash = Annotated[str, Field(pattern="^b3:[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Strict(BaseModel):
    model_config: ClassVar = ConfigDict(extra="forbid", strict=True)


@final
class _Tensor(_Strict):
    name: Annotated[str, Field(max_length=4096)]
    dtype: Annotated[str, Field(max_length=64)]
    shape: Annotated[list[_Count], Field(max_length=64)]
    byte_length: _Count
    data: _Hash


@final
class _Proof(_Strict):
    format: Literal["lineal.proof.1"]
    model: _Hash
    tensor: _Tensor
    index: _Count
    leaves: _Count
    path: Annotated[list[_Hash], Field(max_length=64)]
    package: Annotated[dict[str, _Hash], Field(max_length=10_000)]


def proof_as_json(proof: InclusionProof) -> dict[str, Json]:
    leaf = proof.leaf
    return {
        "format": FORMAT,
        "model": format_hash(proof.model_hash),
        "tensor": {
            "name": leaf.name,
            "dtype": leaf.dtype,
            "shape": list(leaf.shape),
            "byte_length": leaf.byte_length,
            "data": format_hash(leaf.data_hash),
        },
        "index": proof.index,
        "leaves": proof.leaves,
        "path": [format_hash(digest) for digest in proof.path],
        "package": {path: format_hash(digest) for path, digest in proof.package.items()},
    }


def read_proof(file: Path) -> tuple[InclusionProof, bytes]:
    """The proof, and the model that it says it is of; what is no such file is a CheckpointError."""
    written: Any = read_json(file)
    try:
        found = _Proof.model_validate(written)
    except ValidationError as error:
        fault, *_ = schema_faults(error, _Proof.model_json_schema(), written, "entry")
        raise CheckpointError(f"{file}: no proof: {fault}") from None
    tensor = found.tensor
    leaf = Leaf(tensor.name, tensor.dtype, tuple(tensor.shape), tensor.byte_length, parse_hash(tensor.data))
    path = tuple(parse_hash(digest) for digest in found.path)
    package = {name: parse_hash(digest) for name, digest in found.package.items()}
    return InclusionProof(leaf, found.index, found.leaves, path, package), parse_hash(found.model)
