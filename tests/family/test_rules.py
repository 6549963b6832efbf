"""Rules: a case that is done otherwise than it once was is another derivation, and no contradiction of the old one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineal.derivation.step import Step
from lineal.errors import MethodError
from lineal.family.build.request import rules_of
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Inputs, Session
from lineal.family.trust.replay import replay
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import Provenance, read_provenance, write_provenance
from lineal.methods.distill.distill import Distill
from tests.builders import CONFIG, make_checkpoint, random_tensors
from tests.family.conftest import MERGES, write_family


def built_under_other_rules(session: Session, parents: Path) -> Path:
    """A merge whose record, beside it and in the registry, says rules that this case does not have."""
    family = read_family(write_family(parents, MERGES))
    local = run_family(session, family, parents / "models")["sum"]
    provenance = read_provenance(local.path)
    assert isinstance(provenance, Provenance)
    write_provenance(local.path, replace(provenance, step=replace(provenance.step, rules=2)))
    return local.path


def test_rules_are_written_and_part_of_the_id_only_where_they_are_not_the_first() -> None:
    first = Step(type="original", method="train")
    second = replace(first, rules=2)
    assert "rules" not in first.to_json()
    assert second.to_json() == {**first.to_json(), "rules": 2}
    assert second.derivation_id != first.derivation_id
    assert Step.from_json(second.to_json()) == second


def test_a_child_of_other_rules_is_no_hit(session: Session, parents: Path) -> None:
    place = built_under_other_rules(session, parents)
    before = (place / "model.safetensors").stat().st_ino
    run_family(session, read_family(write_family(parents, MERGES)), parents / "models")
    assert (place / "model.safetensors").stat().st_ino != before
    made = read_provenance(place)
    assert made is not None
    assert made.step.rules == 1


def test_a_step_of_other_rules_is_said_so_and_not_contradicted(session: Session, parents: Path) -> None:
    place = built_under_other_rules(session, parents)
    provenance = read_provenance(place)
    assert provenance is not None
    with pytest.raises(MethodError, match="it was made under rules 2, and this lineal would make it under 1"):
        replay(session, provenance.step, "sum")


def test_the_registry_keeps_the_rules_of_a_step_and_verification_passes(session: Session, parents: Path) -> None:
    family = read_family(write_family(parents, MERGES))
    model_hash = run_family(session, family, parents / "models")["sum"].model_hash
    (record,) = session.registry.steps_of(model_hash)
    elsewhere = replace(record, step=replace(record.step, rules=2))
    session.registry.record(elsewhere)
    assert [found.step.rules for found in session.registry.steps_of(model_hash)] == [1, 2]
    (verdict,) = verify_references(session, ["sum"])
    assert verdict.ok
    assert [found.evidence for found in session.registry.steps_of(model_hash)] == [
        Evidence.REPLAYED,
        Evidence.RECORDED,
    ]


CUT = """
family: cuts
models:
  base: {original: {path: ./base}}
  short:
    merge:
      merge_method: passthrough
      slices:
        - sources: [{model: base, layer_range: [0, 1]}]
        - sources: [{model: base, layer_range: [2, 4]}]
"""
"""All blocks but the second."""

FOLLOWING_THEIR_PLACE = pytest.mark.parametrize(("model_type", "rules"), [("gemma2", 2), ("llama", 1)])


def four_blocks(folder: Path, model_type: str) -> Path:
    shapes = {"model.embed_tokens.weight": (8, 4), "model.norm.weight": (4,)}
    shapes |= {f"model.layers.{block}.mlp.up_proj.weight": (4, 4) for block in range(4)}
    config = {**CONFIG, "num_hidden_layers": 4, "model_type": model_type}
    return make_checkpoint(folder / "base", random_tensors(1, shapes, np.float32), config)


@FOLLOWING_THEIR_PLACE
def test_blocks_that_follow_their_place_are_put_together_under_the_second_rules(
    session: Session, tmp_path: Path, model_type: str, rules: int
) -> None:
    four_blocks(tmp_path, model_type)
    local = run_family(session, read_family(write_family(tmp_path, CUT)), tmp_path / "models")["short"]
    provenance = read_provenance(local.path)
    assert provenance is not None
    assert provenance.step.rules == rules
    assert replay(session, provenance.step, "short").model_hash == local.model_hash


@FOLLOWING_THEIR_PLACE
def test_a_student_of_blocks_that_follow_their_place_is_made_under_the_second_rules(
    session: Session, tmp_path: Path, model_type: str, rules: int
) -> None:
    base = session.open("base", four_blocks(tmp_path, model_type))
    inputs: Inputs = (("teacher", base), ("student", base))
    assert rules_of(Distill(layers=(0, 2, 3), tokens=100), inputs) == rules
    assert rules_of(Distill(tokens=100), inputs) == 1
