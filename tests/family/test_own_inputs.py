"""A step that is said to have given its own input: computed before it is believed, and no origin either way."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lineal.checkpoint.content.hashing import hash_checkpoint
from lineal.checkpoint.reader import open_checkpoint
from lineal.cli.entry import main
from lineal.derivation.step import Input
from lineal.lineage.records.lineal_json import Provenance, read_provenance, write_provenance
from lineal.lineage.records.records import StepRecord
from lineal.lineage.registry import Registry
from tests.builders import make_checkpoint, random_tensors

SHAPES = {"model.norm.weight": (8,), "model.layers.0.mlp.up_proj.weight": (16, 8)}


@pytest.fixture
def same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a merged with itself, which is a again, in a folder where b lies too and the registry is fresh."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        make_checkpoint(tmp_path / name, random_tensors(seed, SHAPES))
    monkeypatch.setenv("LINEAL_REGISTRY", "first.db")
    assert main(("merge", "./a", "./a", "--method", "linear", "--out", "same")) == 0
    monkeypatch.setenv("LINEAL_REGISTRY", "second.db")
    return tmp_path / "same"


def steps_of(place: Path) -> Sequence[StepRecord]:
    with Registry.open_existing(Path("second.db")) as registry:
        return registry.steps_of(record_of(place).hashes.manifest.model_hash)


def record_of(place: Path) -> Provenance:
    found = read_provenance(place)
    assert found is not None
    return found


def tell_of_another_parent(place: Path, other: Path) -> None:
    """The record tells of the same merge with another second parent, and holds as a record."""
    told = record_of(place)
    parent = Input("parent", hash_checkpoint(open_checkpoint(other)).manifest.model_hash)
    step = replace(told.step, inputs=(told.step.inputs[0], parent))
    write_provenance(place, replace(told, step=step, input_names=("a", other.name)))


def test_what_reproduces_its_input_is_replayed_when_it_is_added(same: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(("add", "./same")) == 0
    assert "merge (linear) of a, a, which reproduces it" in capsys.readouterr().out
    (record,) = steps_of(same)
    assert (record.evidence.value, record.share, record.reproduces) == ("replayed", 1.0, True)
    assert main(("verify", "same")) == 0


def test_what_does_not_reproduce_its_input_is_refused_and_nothing_is_known(
    same: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_of_another_parent(same, Path("b"))
    assert main(("add", "./b")) == 0
    assert main(("add", "./same")) == 3
    assert "the linear of itself that it tells of does not give it: tensor" in capsys.readouterr().err
    assert main(("show", "same")) == 2


def test_what_cannot_be_replayed_is_not_kept(same: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell_of_another_parent(same, Path("b"))
    assert main(("add", "./same")) == 0
    assert "is not kept: " in capsys.readouterr().out
    assert steps_of(same) == ()


def test_a_model_found_on_the_way_brings_no_step_of_itself(same: Path) -> None:
    assert main(("merge", "./same", "./b", "--method", "linear", "--out", "child")) == 0
    assert steps_of(same) == ()


def test_verify_says_which_step_does_not_reproduce_a_model_which_holds(
    same: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("add", "./b", "./same")) == 0
    tell_of_another_parent(same, Path("b"))
    with Registry.open_existing(Path("second.db")) as registry:
        _ = registry.record(record_of(same).told(0.0))
    assert main(("verify", "same")) == 0
    assert "does not give it: tensor" in capsys.readouterr().out
    assert sorted(record.evidence.value for record in steps_of(same)) == ["contradicted", "replayed"]
