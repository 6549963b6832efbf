"""The record that travels with every output, schema version 1: lineal.json, or beside a lone file. No local paths."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final, get_args

from lineal.checkpoint.content.hashing import LINEAL_JSON, FileHash, FolderHashes
from lineal.checkpoint.content.identity import Leaf, Manifest
from lineal.checkpoint.inside import require_inside
from lineal.checkpoint.reader import Form, is_lone_file, read_json
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash, parse_hash
from lineal.derivation.step import Step
from lineal.errors import CheckpointError, LinealError
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.quantization_report import report_of, roundings_of
from lineal.lineage.records.records import StepRecord
from lineal.lineage.records.rounding import Rounding
from lineal.shown import quoted

SCHEMA = 1

_TRAININGS = ("fine-tune", "distillation")
_QUANTIZATION = "quantization"
_quote = json.JSONEncoder(ensure_ascii=False).encode


@final
@dataclass(frozen=True)
class Provenance:
    """What a record says: the child by content, how it was made and on what.

    input_names: for each input of the step, the name it went by; told_layout: of a record that was read, the layout
    hash that it tells of, which only hashing the child can confirm; rounding: of a quantization, what it cost tensors.
    """

    step: Step
    input_names: tuple[str, ...]
    hashes: FolderHashes
    form: Form
    environment: Mapping[str, Json]
    told_layout: bytes | None = None
    rounding: Mapping[str, Rounding] | None = None

    @property
    def weights_hash(self) -> bytes:
        return self.hashes.manifest.weights_hash

    @property
    def layout_hash(self) -> bytes | None:
        return self.told_layout or self.hashes.layout_hash

    @property
    def gives_its_input(self) -> bool:
        """Whether the step is said to have given a model that it was given, which tells nothing of its origin."""
        return self.hashes.manifest.model_hash in (used.model_hash for used in self.step.inputs)

    def told(self, now: float) -> StepRecord:
        """The step as it enters a registry in which it was not run; now: seconds since 1970."""
        child = self.hashes.manifest.model_hash
        return StepRecord(
            self.step, child, Evidence.RECORDED, self.environment, seconds=0.0, created=now, rounding=self.rounding
        )


def record_path(place: Path) -> Path:
    """Where a model's record is: lineal.json in its folder, x.gguf.lineal.json beside the lone file x.gguf."""
    return place.with_name(f"{place.name}.{LINEAL_JSON}") if is_lone_file(place) else place / LINEAL_JSON


def write_provenance(place: Path, provenance: Provenance) -> None:
    record_path(place).write_text(_written(_to_json(provenance)) + "\n", encoding="utf-8")


def read_provenance(place: Path) -> Provenance | None:
    """The model's record; None where it has none. A record that cannot be one is an error."""
    path = record_path(place)
    if not path.is_file():
        return None
    require_inside(path)
    record = read_json(path)
    if record.get("schema") != SCHEMA:
        raise CheckpointError(f"{path}: schema {quoted(record.get('schema'))}; this lineal reads {SCHEMA}")
    try:
        return _from_json(record)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError, LinealError) as error:
        raise CheckpointError(f"{path}: not a record: {error}") from None


def _written(record: dict[str, Json]) -> str:
    """As json writes it with an indent of 2, which takes long; the tensors, of which there may be many, by hand."""
    around = json.dumps({**record, "tensors": {}}, indent=2, ensure_ascii=False)
    tensors = cast(dict[str, Any], record["tensors"])
    if not tensors:
        return around
    shapes: dict[tuple[int, ...], str] = {}
    entries: list[str] = []
    for name, tensor in tensors.items():
        shape = tuple(tensor["shape"])
        if shape not in shapes:
            shapes[shape] = json.dumps(shape, indent=2).replace("\n", "\n      ")
        entries.append(
            f'    {_quote(name)}: {{\n      "dtype": "{tensor["dtype"]}",\n      "shape": {shapes[shape]},\n'
            f'      "data_hash": "{tensor["data_hash"]}"\n    }}'
        )
    return around.removesuffix("{}\n}") + "{\n" + ",\n".join(entries) + "\n  }\n}"


def _to_json(p: Provenance) -> dict[str, Json]:
    manifest = p.hashes.manifest
    inputs: list[Json] = [
        {"role": i.role, "name": name, "model_hash": format_hash(i.model_hash)}
        for i, name in zip(p.step.inputs, p.input_names, strict=True)
    ]
    tensors: dict[str, Json] = {
        leaf.name: {"dtype": leaf.dtype, "shape": list(leaf.shape), "data_hash": format_hash(leaf.data_hash)}
        for leaf in manifest.leaves
    }
    files: dict[str, Json] = {
        path: {"size": file.size, "hash": format_hash(file.digest)} for path, file in p.hashes.files.items()
    }
    layout: dict[str, Json] = {} if p.layout_hash is None else {"layout_hash": format_hash(p.layout_hash)}
    rounding: dict[str, Json] = {}
    if p.rounding is not None:
        rounding[_QUANTIZATION] = report_of(manifest.leaves, p.rounding).to_json()
    return {
        "schema": SCHEMA,
        "model_hash": format_hash(manifest.model_hash),
        "weights_hash": format_hash(manifest.weights_hash),
        **layout,
        "form": p.form,
        "parameters": p.hashes.parameters,
        "tensor_bytes": manifest.tensor_bytes,
        "derivation_id": format_hash(p.step.derivation_id),
        "derivation": p.step.derivation.to_json(),
        "step": p.step.to_json(),
        "inputs": inputs,
        "licence_hash": None if p.hashes.licence is None else format_hash(p.hashes.licence),
        "environment": dict(p.environment),
        **rounding,
        "package": {path: format_hash(digest) for path, digest in manifest.package.items()},
        "files": files,
        "tensors": tensors,
    }


def _from_json(record: Mapping[str, Any]) -> Provenance:
    leaves = tuple(
        Leaf(name, str(t["dtype"]), _shape(t), _byte_length(t), parse_hash(t["data_hash"]))
        for name, t in record["tensors"].items()
    )
    package = {path: parse_hash(digest) for path, digest in record["package"].items()}
    manifest = Manifest(tuple(sorted(leaves, key=lambda leaf: leaf.name.encode())), package)
    if manifest.model_hash != parse_hash(record["model_hash"]):
        raise ValueError("its tensors and package do not hash to its model_hash")
    files = {path: FileHash(int(f["size"]), parse_hash(f["hash"])) for path, f in record["files"].items()}
    licence = None if record["licence_hash"] is None else parse_hash(record["licence_hash"])
    counted: Any = record["parameters"]
    parameters = counted if manifest.may_stand_for(counted) else manifest.elements
    found = Provenance(
        step=Step.from_json(record["step"]),
        input_names=tuple(str(i["name"]) for i in record["inputs"]),
        hashes=FolderHashes(manifest, files, licence, parameters),
        form=_form(record["form"]),
        environment=dict(record["environment"]),
        told_layout=parse_hash(record["layout_hash"]) if "layout_hash" in record else None,
        rounding=roundings_of(record[_QUANTIZATION]) if _QUANTIZATION in record else None,
    )
    _check_against_itself(record, found)
    return found


def _check_against_itself(record: Mapping[str, Any], found: Provenance) -> None:
    """What follows from the rest is worked out again: the step's id, its summary, its inputs, hashes and counts."""
    step = found.step
    if step.type in _TRAININGS and found.gives_its_input:
        raise ValueError(f"it tells of a {step.type} of itself, and no training gives its own input")
    if len(found.input_names) != len(step.inputs):
        raise ValueError(f"{len(found.input_names)} inputs, its step has {len(step.inputs)}")
    for key, follows in _to_json(found).items():
        if key not in record:
            raise ValueError(f"{key} is missing")
        if record[key] != follows:
            raise ValueError(f"its {key} is not what the rest of it comes to: it was edited")


def _form(form: object) -> Form:
    if form not in get_args(Form):
        raise ValueError(f"form {quoted(form)}, not one of {', '.join(get_args(Form))}")
    return cast(Form, form)


def _shape(tensor: Mapping[str, Any]) -> tuple[int, ...]:
    shape = tensor["shape"]
    if not isinstance(shape, list) or any(type(size) is not int or not 0 <= size < 1 << 63 for size in shape):
        raise ValueError(f"shape {str(shape)[:80]} is not a list of sizes")
    return tuple(cast(list[int], shape))


def _byte_length(tensor: Mapping[str, Any]) -> int:
    return Planned("", tensor["dtype"], _shape(tensor)).byte_length
