"""What a model is: a hash of its tensors and of the files that give them meaning.

    data_hash     BLAKE3 of a tensor's raw little-endian row-major bytes
    leaf          H(0x00, "lineal.tensor.1", name, dtype, shape, byte length, data_hash)
    weights_hash  RFC 6962 tree over the leaves sorted by name bytes, inner node H(0x01, left, right)
    model_hash    H("lineal.model.1", weights_hash, package entries sorted by path: path, content hash)
    layout_hash   H("lineal.layout.1", version of the table of layouts, weights_hash of the published tensors)

Strings are UTF-8 behind their length (u32); a shape is its rank (u32) and dimensions (u64); counts are u64; all
little-endian. The version tags inside make a later change of the scheme a different hash, never a silent one.
"""

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import final

from blake3 import blake3

from lineal.checkpoint.layouts.table import TABLE_VERSION


@final
@dataclass(frozen=True, slots=True)
class Leaf:
    """One tensor of a model: name, stored dtype (safetensors' name for it), shape, byte length and data hash."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    byte_length: int
    data_hash: bytes

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def leaf_hash(self) -> bytes:
        kind = _packed(self.dtype, self.shape, self.byte_length)
        return blake3(_LEAF + _string(self.name) + kind + self.data_hash).digest()


@final
@dataclass(frozen=True)
class Manifest:
    """Everything a model's identity is made of: its leaves sorted by name, its package's content hashes by path."""

    leaves: tuple[Leaf, ...]
    package: Mapping[str, bytes]

    @cached_property
    def weights_hash(self) -> bytes:
        return merkle_root([leaf.leaf_hash for leaf in self.leaves])

    @cached_property
    def model_hash(self) -> bytes:
        return model_hash(self.weights_hash, self.package)

    @property
    def elements(self) -> int:
        """Numbers as they are stored; where some are codes, the weights that they stand for have others."""
        return sum(leaf.elements for leaf in self.leaves)

    def may_stand_for(self, parameters: object) -> bool:
        """Whether weights of so many numbers can be stored so: just as many, or where some are codes, any as small.

        Leaves do not say of how many bits a code is; it has one at least.
        """
        if type(parameters) is not int:
            return False
        has_codes = any(leaf.dtype not in _FLOATS for leaf in self.leaves)
        return parameters == self.elements or (has_codes and 0 <= parameters <= 8 * self.tensor_bytes)

    @property
    def tensor_bytes(self) -> int:
        return sum(leaf.byte_length for leaf in self.leaves)


def manifest_of(leaves: Iterable[Leaf], package: Mapping[str, bytes]) -> Manifest:
    return Manifest(tuple(sorted(leaves, key=lambda leaf: leaf.name.encode())), dict(package))


def layout_hash(manifest: Manifest, published: tuple[Leaf, ...]) -> bytes:
    """Of weights by their tensors as the architecture is published: equal in whichever layout they are stored."""
    return _layout_hash(_published_root(manifest, published), TABLE_VERSION)


def gives_layout_hash(told: bytes, manifest: Manifest, published: tuple[Leaf, ...]) -> bool:
    """Whether it is that of these tensors, by the table of layouts as it is or as it was before."""
    root = _published_root(manifest, published)
    return any(_layout_hash(root, version) == told for version in range(1, TABLE_VERSION + 1))


def merkle_root(leaf_hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, over hashes that are leaves already; of none, the hash of nothing."""
    if not leaf_hashes:
        return blake3().digest()
    level = leaf_hashes
    while len(level) > 1:  # a subtree is full but for the last of a level, which goes up alone
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [*(blake3(b"\x01" + left + right).digest() for left, right in pairs), *level[len(level) & ~1 :]]
    return level[0]


def _published_root(manifest: Manifest, published: tuple[Leaf, ...]) -> bytes:
    if published is manifest.leaves:
        return manifest.weights_hash
    return merkle_root([leaf.leaf_hash for leaf in sorted(published, key=lambda leaf: leaf.name.encode())])


def _layout_hash(root: bytes, version: int) -> bytes:
    return blake3(_LAYOUT + struct.pack("<I", version) + root).digest()


def model_hash(weights_hash: bytes, package: Mapping[str, bytes]) -> bytes:
    entries = (_string(path) + package[path] for path in sorted(package, key=str.encode))
    return blake3(b"".join((_MODEL, weights_hash, struct.pack("<Q", len(package)), *entries))).digest()


@lru_cache(maxsize=1000)
def _packed(dtype: str, shape: tuple[int, ...], byte_length: int) -> bytes:
    """Dtype, shape and length; many tensors of a model have them in common."""
    return _string(dtype) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<Q", byte_length)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(4, "little") + encoded


_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""What no code is stored as."""
_LEAF = b"\x00" + _string("lineal.tensor.1")
_MODEL = _string("lineal.model.1")
_LAYOUT = _string("lineal.layout.1")
