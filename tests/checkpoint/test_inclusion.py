"""Proofs of inclusion: each holds, and none can be bent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.checkpoint.content.identity import Leaf, Manifest, manifest_of
from lineal.checkpoint.content.inclusion import InclusionProof, prove_inclusion
from lineal.errors import CheckpointError


def model(tensors: int) -> Manifest:
    leaves = [Leaf(f"t{i:03}", "F32", (i + 1, 2), 8 * (i + 1), bytes([i]) * 32) for i in range(tensors)]
    return manifest_of(leaves, {"config.json": b"\x07" * 32})


@pytest.mark.parametrize("tensors", [1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 65, 100])
def test_every_tensor_of_a_model_of_any_size_can_be_proven(tensors: int) -> None:
    manifest = model(tensors)
    for leaf in manifest.leaves:
        proof = prove_inclusion(manifest, leaf.name)
        assert (proof.weights_hash, proof.model_hash) == (manifest.weights_hash, manifest.model_hash)
        assert len(proof.path) <= (tensors - 1).bit_length()


@given(st.integers(1, 40), st.data())
def test_a_proof_of_anything_else_leads_elsewhere(tensors: int, data: st.DataObject) -> None:
    manifest = model(tensors)
    proof = prove_inclusion(manifest, manifest.leaves[data.draw(st.integers(0, tensors - 1))].name)
    bent: list[InclusionProof] = [
        replace(proof, leaf=replace(proof.leaf, data_hash=b"\xff" * 32)),
        replace(proof, leaf=replace(proof.leaf, name="another")),
        replace(proof, leaf=replace(proof.leaf, dtype="F16")),
        replace(proof, leaf=replace(proof.leaf, shape=(*proof.leaf.shape, 1))),
        replace(proof, package={"config.json": b"\x08" * 32}),
        replace(proof, index=data.draw(st.integers(-1, tensors))),
        replace(proof, leaves=proof.leaves + 1),
        replace(proof, path=(*proof.path, b"\x00" * 32)),
        replace(proof, path=proof.path[:-1]),
    ]
    for other in bent:
        if other == proof:
            continue
        try:
            found = other.model_hash
        except CheckpointError:
            continue
        assert found != manifest.model_hash or other.leaf == proof.leaf


def test_a_tensor_that_is_not_there_is_refused() -> None:
    with pytest.raises(CheckpointError, match="has no tensor 'x'"):
        prove_inclusion(model(3), "x")
