"""That a tensor belongs to a model, shown without the rest of the model: an audit path (RFC 6962, section 2.1.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from blake3 import blake3

from lineal.checkpoint.content.identity import Leaf, Manifest, merkle_root, model_hash
from lineal.errors import CheckpointError
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class InclusionProof:
    """leaf: the tensor; index: its place among `leaves` of the model, sorted by name; path: from it up to the root.

    package: the content hashes of config and tokenizer, which with the weights' make the model's hash.
    """

    leaf: Leaf
    index: int
    leaves: int
    path: tuple[bytes, ...]
    package: Mapping[str, bytes]

    @property
    def weights_hash(self) -> bytes:
        """What the path leads to (RFC 9162, section 2.1.3.2); one of the wrong length is a CheckpointError."""
        here, last, root = self.index, self.leaves - 1, self.leaf.leaf_hash
        if not 0 <= here <= last:
            raise CheckpointError(f"the proof: no place {here} among {self.leaves} tensors")
        for beside in self.path:
            if last == 0:
                raise CheckpointError("the proof: its path is too long")
            if here % 2 or here == last:
                root = blake3(b"\x01" + beside + root).digest()
                while here and here % 2 == 0:
                    here, last = here >> 1, last >> 1
            else:
                root = blake3(b"\x01" + root + beside).digest()
            here, last = here >> 1, last >> 1
        if last:
            raise CheckpointError("the proof: its path is too short")
        return root

    @property
    def model_hash(self) -> bytes:
        return model_hash(self.weights_hash, self.package)


def prove_inclusion(manifest: Manifest, tensor: str) -> InclusionProof:
    """The proof for a tensor of a model; one that is not there is a CheckpointError."""
    index = next((place for place, leaf in enumerate(manifest.leaves) if leaf.name == tensor), None)
    if index is None:
        raise CheckpointError(f"the model has no tensor {quoted(tensor)}")
    path = _path(index, [leaf.leaf_hash for leaf in manifest.leaves])
    return InclusionProof(manifest.leaves[index], index, len(manifest.leaves), tuple(path), manifest.package)


def _path(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    left, right = list(hashes[:split]), list(hashes[split:])
    if index < split:
        return [*_path(index, left), merkle_root(right)]
    return [*_path(index - split, right), merkle_root(left)]
