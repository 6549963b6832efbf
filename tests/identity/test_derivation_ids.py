"""Derivation ids: BLAKE3 of a version tag and the canonical JSON of the step."""

import json
from typing import Any

import pytest

from lineal.derivation import Step
from tests.identity.generate import GOLDEN, HASHES, STEPS

MERGE = STEPS[3]


@pytest.mark.parametrize("position", range(len(STEPS)), ids=[step["type"] for step in STEPS])
def test_ids_are_those_of_the_golden_file(position: int) -> None:
    expected = json.loads(GOLDEN.read_text())["derivation_ids"][position]
    assert Step.from_json(STEPS[position]).derivation_id.hex() == expected


def test_the_id_of_a_ties_merge_is_this_one() -> None:
    expected = "f4afa43c9671c884dcceeee7400bb56daa0371ab24999aaf783cb5d1633272a3"
    assert Step.from_json(MERGE).derivation_id.hex() == expected


def test_the_order_of_keys_and_whole_floats_do_not_change_the_id() -> None:
    reordered = dict(reversed(MERGE.items()))
    reordered["options"] = {"lambda": 1, "normalize": True, "weights": (0.5, 0.5), "density": 0.2}
    assert Step.from_json(reordered).derivation_id == Step.from_json(MERGE).derivation_id


@pytest.mark.parametrize(
    "change",
    [
        {"method": "dare_ties"},
        {"version": 2},
        {"inputs": list(reversed(MERGE["inputs"]))},
        {"inputs": [MERGE["inputs"][0], {"role": "parent", "model": HASHES[2]}]},
        {"inputs": [{"role": "parent", "model": HASHES[0]}, MERGE["inputs"][1]]},
        {"options": {**MERGE["options"], "density": 0.25}},
        {"options": {**MERGE["options"], "normalize": False}},
        {"data": [{"name": "calibration.txt", "hash": HASHES[0]}]},
    ],
    ids=["method", "version", "order", "parent", "role", "option", "flag", "data"],
)
def test_anything_else_that_changes_gives_another_id(change: dict[str, Any]) -> None:
    assert Step.from_json({**MERGE, **change}).derivation_id != Step.from_json(MERGE).derivation_id
