"""Verification: every byte counts, exact steps are recomputed, and what differs is named."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineal.cli.verdicts import lines_of
from lineal.derivation.step import Input
from lineal.errors import CheckpointError, UsageError
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import LocalModel, Session
from lineal.family.trust.replay import replay
from lineal.family.trust.verify import Verdict, verify_folder, verify_references
from lineal.lineage.records.evidence import Evidence
from tests.builders import make_checkpoint, random_tensors
from tests.family.conftest import MERGES, SHAPES, write_family


@pytest.fixture
def built(session: Session, parents: Path) -> dict[str, LocalModel]:
    return dict(run_family(session, read_family(write_family(parents, MERGES)), parents / "models"))


def verify(session: Session, *references: str) -> list[Verdict]:
    return list(verify_references(session, references))


def flip(path: Path, position: int) -> None:
    """Flip one bit without a trace in the file's times."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_every_exact_edge_of_a_family_is_recomputed(session: Session, built: dict[str, LocalModel]) -> None:
    verdicts = {v.label: v for v in verify_references(session, [], "small")}
    assert list(verdicts) == ["a", "b", "c", "between", "sum", "last"]
    assert all(verdict.ok for verdict in verdicts.values())
    assert {name for name, v in verdicts.items() if v.recomputed == len(SHAPES)} == {"between", "sum", "last"}
    assert "an original" in verdicts["a"].why_not
    for name in ("between", "sum", "last"):
        (step,) = session.registry.steps_of(built[name].model_hash)
        assert (step.evidence, step.share) == (Evidence.REPLAYED, 1.0)


@pytest.mark.parametrize("tensor", list(SHAPES))
def test_one_flipped_bit_names_its_tensor(session: Session, built: dict[str, LocalModel], tensor: str) -> None:
    spec = built["sum"].checkpoint[tensor]
    flip(spec.path, spec.offset + spec.byte_length // 2)
    (verdict,) = verify(session, "sum")
    (fault,) = verdict.faults
    assert f"tensor {tensor!r} differs" in fault


@pytest.mark.parametrize(
    ("file", "position", "named"),
    [
        ("config.json", 3, "file config.json"),
        ("tokenizer.json", 5, "file tokenizer.json"),
        ("model.safetensors", 30, "model.safetensors"),
        ("lineal.json", 100, "lineal.json"),
    ],
)
def test_a_flipped_bit_elsewhere_names_its_file(
    session: Session, built: dict[str, LocalModel], file: str, position: int, named: str
) -> None:
    flip(built["sum"].folder / file, position)
    (verdict,) = verify(session, "sum")
    assert len(verdict.faults) == 1
    assert named in verdict.faults[0]


def test_an_edited_card_is_a_remark_and_no_difference(session: Session, built: dict[str, LocalModel]) -> None:
    card = built["sum"].folder / "README.md"
    card.write_text(card.read_text() + "Better on Tuesdays.\n")
    (verdict,) = verify(session, "sum")
    assert verdict.ok
    assert verdict.recomputed
    assert verdict.remarks == (f"{card.resolve()} was edited since it was made",)
    card.unlink()
    assert verify(session, "sum")[0].remarks == (f"{card.resolve()} is gone",)


def test_a_missing_file_is_named(session: Session, built: dict[str, LocalModel]) -> None:
    (built["sum"].folder / "tokenizer.json").unlink()
    (verdict,) = verify(session, "sum")
    assert [fault.partition(": ")[2] for fault in verdict.faults] == ["file tokenizer.json is missing"]


def test_a_child_that_its_recorded_step_does_not_give_is_contradicted(session: Session, parents: Path) -> None:
    """Somebody writes a record for bytes that the step did not make."""
    from dataclasses import replace

    from lineal.lineage.records.records import ModelRecord, StepRecord

    run_family(session, read_family(write_family(parents, MERGES)), parents / "models")
    honest = session.registry.steps_of(session.registry.resolve("sum"))[0]
    forged = make_checkpoint(parents / "forged", random_tensors(99, SHAPES, np.float32))
    local = session.identify(session.open("forged", forged))
    assert local.hashes is not None
    child = session.registry.add_model(ModelRecord(local.hashes.manifest, "full", None), forged)
    step = replace(honest.step, options={**honest.step.options, "lambda": 2.0})
    session.registry.record(StepRecord(step, child, Evidence.RECORDED, {}, 0.0, 0.0))
    (verdict,) = verify(session, str(forged))
    assert len(verdict.faults) >= len(SHAPES)
    assert session.registry.steps_of(child)[0].evidence is Evidence.CONTRADICTED


def test_a_changed_parent_cannot_vouch_for_its_child(session: Session, built: dict[str, LocalModel]) -> None:
    spec = built["b"].checkpoint["model.norm.weight"]
    flip(spec.path, spec.offset)
    (verdict,) = verify(session, "sum")
    assert verdict.ok
    assert verdict.recomputed == 0
    assert any(words in verdict.why_not for words in ("'model.norm.weight' has changed", "now holds"))


def test_a_folder_that_nobody_registered_is_checked_against_its_own_record(
    session: Session, built: dict[str, LocalModel], tmp_path: Path
) -> None:
    moved = built["sum"].folder.rename(tmp_path / "elsewhere")
    assert verify_folder(session, moved).ok
    spec = built["sum"].checkpoint["model.norm.weight"]
    flip(moved / spec.path.name, spec.offset)
    assert "'model.norm.weight' differs" in verify_folder(session, moved).faults[0]
    with pytest.raises(CheckpointError, match=r"no lineal\.json, and not in the registry"):
        verify_folder(session, make_checkpoint(tmp_path / "bare", random_tensors(1, SHAPES)))


def test_a_model_that_lies_nowhere_does_not_agree(
    session: Session, built: dict[str, LocalModel], tmp_path: Path
) -> None:
    built["sum"].folder.rename(tmp_path / "elsewhere")
    (verdict,) = verify(session, "sum")
    assert verdict.faults == ("lies nowhere on this machine",)


def test_a_family_that_nobody_named_is_an_error(session: Session) -> None:
    with pytest.raises(UsageError, match="no model is named in the family 'nobody'"):
        list(verify_references(session, [], "nobody"))


def test_a_sample_recomputes_a_share_and_says_so(session: Session, built: dict[str, LocalModel]) -> None:
    (verdict,) = verify_references(session, ["sum"], share=0.01)
    assert (verdict.ok, verdict.recomputed, verdict.tensors) == (True, 1, len(SHAPES))
    (step,) = session.registry.steps_of(built["sum"].model_hash)
    assert (step.evidence, step.share) == (Evidence.REPLAYED, 1 / len(SHAPES))
    assert lines_of(verdict) == [f"sum: ok, 1 of {len(SHAPES)} tensors recomputed, equal"]


def test_a_sample_draws_other_tensors_each_time(session: Session, built: dict[str, LocalModel]) -> None:
    step = session.registry.steps_of(built["sum"].model_hash)[0].step
    drawn = {replay(session, step, "sum", 0.01).leaves[0].name for _ in range(60)}
    assert len(drawn) > 1


def test_deep_verification_begins_with_what_a_model_goes_back_to(
    session: Session, built: dict[str, LocalModel]
) -> None:
    verdicts = list(verify_references(session, ["last"], deep=True))
    labels = [verdict.label for verdict in verdicts]
    assert labels[-1] == "last"
    assert {"a", "b", "sum", "between"} & set(labels)
    assert len(labels) == len(set(labels))
    assert all(verdict.ok for verdict in verdicts)
    spec = built["a"].checkpoint["model.norm.weight"]
    flip(spec.path, spec.offset)
    damaged = {v.label for v in verify_references(session, ["last"], deep=True) if not v.ok}
    assert damaged == {"a"}


def test_what_was_never_added_cannot_be_checked_and_is_no_fault(session: Session, built: dict[str, LocalModel]) -> None:
    gone = bytes(range(32))
    source = session.registry.steps_of(built["sum"].model_hash)[0]
    child = built["a"].model_hash
    step = replace(source.step, inputs=(Input("parent", gone), Input("parent", built["b"].model_hash)))
    session.registry.record(replace(source, step=step, child=child))
    verdicts = list(verify_references(session, ["a"], deep=True))
    assert [v.why_not for v in verdicts if v.model_hash == gone] == [
        "never added here: nothing is known of its content"
    ]
