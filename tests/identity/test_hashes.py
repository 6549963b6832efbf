"""Leaf, tree and model hashes against golden values and the plain implementation."""

import json

import pytest
from blake3 import blake3

from lineal.checkpoint.content.identity import Leaf, manifest_of, merkle_root, model_hash
from tests.identity import plain
from tests.identity.generate import GOLDEN, TENSORS


def golden_leaves() -> list[Leaf]:
    return [Leaf(name, dtype, shape, len(data), blake3(data).digest()) for name, dtype, shape, data in TENSORS]


def expected(entry: str) -> str:
    return json.loads(GOLDEN.read_text())[entry]


@pytest.mark.parametrize("position", range(len(TENSORS)), ids=[tensor[0] for tensor in TENSORS])
def test_leaf_hashes_are_those_of_the_golden_file(position: int) -> None:
    assert golden_leaves()[position].leaf_hash.hex() == expected("leaves")[position]


def test_the_leaf_of_a_scalar_one_is_this_one() -> None:
    leaf = Leaf("scalar", "F32", (), 4, blake3(b"\x00\x00\x80\x3f").digest())
    assert leaf.leaf_hash.hex() == "2d9706f51c10c37bb750458d4981bec8944a8c37710dd0bf0081c5930c2ed5b2"


@pytest.mark.parametrize("count", range(21))
def test_the_tree_is_that_of_rfc_6962(count: int) -> None:
    leaves = [bytes([i]) * 32 for i in range(count)]
    assert merkle_root(leaves) == plain.tree(leaves)
    assert merkle_root(leaves).hex() == expected("trees")[count]


def test_the_tree_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle_root([]).hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_weights_and_model_hashes_are_those_of_the_golden_file() -> None:
    package = {"tokenizer.json": blake3(b"{}").digest(), "config.json": bytes.fromhex(expected("config"))}
    manifest = manifest_of(reversed(golden_leaves()), package)
    assert manifest.weights_hash.hex() == expected("weights")
    assert manifest.model_hash.hex() == expected("model")
    assert model_hash(manifest.weights_hash, package) == manifest.model_hash


def test_a_manifest_is_sorted_by_the_bytes_of_names() -> None:
    names = [leaf.name for leaf in manifest_of(golden_leaves(), {}).leaves]
    assert names == ["empty", "mask", "model.embed_tokens.weight", "scalar", "é.weight"]


def test_a_manifest_counts_parameters_and_bytes() -> None:
    manifest = manifest_of(golden_leaves(), {})
    assert (manifest.elements, manifest.tensor_bytes) == (6 + 1 + 0 + 3 + 1, 12 + 4 + 0 + 3 + 8)


@pytest.mark.parametrize(
    "other",
    [
        Leaf("b", "F32", (2, 3), 24, bytes(32)),
        Leaf("a", "I32", (2, 3), 24, bytes(32)),
        Leaf("a", "F32", (3, 2), 24, bytes(32)),
        Leaf("a", "F32", (6,), 24, bytes(32)),
        Leaf("a", "F32", (2, 3), 24, bytes(31) + b"\x01"),
        Leaf("a", "F32", (2, 3), 25, bytes(32)),
    ],
    ids=["name", "dtype", "shape", "rank", "data", "length"],
)
def test_every_part_of_a_leaf_counts(other: Leaf) -> None:
    assert other.leaf_hash != Leaf("a", "F32", (2, 3), 24, bytes(32)).leaf_hash


def test_package_entries_cannot_slide_into_one_another() -> None:
    first = model_hash(bytes(32), {"a": b"b" * 32, "c": b"d" * 32})
    assert first != model_hash(bytes(32), {"a": b"b" * 32, "d": b"c" * 32})
    assert first != model_hash(bytes(32), {"a": b"b" * 32})
