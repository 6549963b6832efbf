"""lineal prove and check-proof."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import write_json
from tests.cli.conftest import Command

NORM = "model.norm.weight"


@pytest.fixture
def proof(lineal: Command, tmp_path: Path) -> Path:
    assert lineal("add", "./a").code == 0
    (tmp_path / "norm.json").write_text(lineal("prove", "a", NORM).out)
    return tmp_path / "norm.json"


def test_a_proof_holds_without_registry_or_model(lineal: Command, proof: Path, tmp_path: Path) -> None:
    model = json.loads(proof.read_text())["model"]
    for extra in ([], ["--model", model], ["--bytes", "./a"]):
        answer = lineal("check-proof", "norm.json", *extra)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines()[1] == f"is tensor 2 of 2 of {model}"
    (tmp_path / ".lineal" / "registry.db").unlink()
    assert lineal("check-proof", "norm.json").code == 0


def test_a_proof_that_does_not_add_up_is_no(lineal: Command, proof: Path) -> None:
    written: dict[str, Any] = json.loads(proof.read_text())
    zeros = "b3:" + 64 * "0"
    for changed, said in (
        ({"model": zeros}, "adds up to"),
        ({"tensor": {**written["tensor"], "data": zeros}}, "adds up to"),
        ({"path": []}, "its path is too short"),
        ({"path": [zeros, zeros, zeros]}, "its path is too long"),
        ({"index": 5}, "no place 5 among 2 tensors"),
    ):
        write_json(proof, {**written, **changed})
        answer = lineal("check-proof", "norm.json")
        assert (answer.code, answer.out) == (1, "")
        assert said in answer.err


def test_another_model_and_other_bytes_are_no(lineal: Command, proof: Path) -> None:
    other = lineal("check-proof", "norm.json", "--model", "b3:" + 64 * "1")
    assert (other.code, other.out) == (1, "")
    elsewhere = lineal("check-proof", "norm.json", "--bytes", "./b")
    assert (elsewhere.code, elsewhere.out) == (1, "")
    assert elsewhere.err == f"lineal: norm.json: b holds other bytes as '{NORM}'\n"


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "lineal.proof.2"},
        {"path": ["b3:12"]},
        {"path": ["b3:" + 64 * "0"] * 65},
        {"index": -1},
        {"index": "0"},
        {"more": 1},
        {"tensor": {}},
        {"package": {"config.json": "b3:x"}},
    ],
)
def test_what_is_no_proof_is_refused_in_a_line(lineal: Command, proof: Path, changed: dict[str, Any]) -> None:
    write_json(proof, {**json.loads(proof.read_text()), **changed})
    answer = lineal("check-proof", "norm.json")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("lineal: norm.json: no proof: ")
    assert len(answer.err.splitlines()) == 1


def test_a_tensor_that_is_not_there_is_refused(lineal: Command, proof: Path) -> None:
    assert "has no tensor 'x'" in lineal("prove", "a", "x").err
