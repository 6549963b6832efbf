"""Weights of unknown origin in one layout, and what they come from in another."""

from pathlib import Path

import pytest

from lineal.family.origin.add import add_folder
from lineal.family.origin.adopt import explain, keep
from lineal.family.session import Session
from lineal.lineage.records.evidence import Evidence
from tests.builders import Array
from tests.mixtures import fused, mixture, tuned, write_mixture

BASE = mixture(1)


def write(folder: Path, tensors: dict[str, Array], *, in_one: bool) -> str:
    return str(write_mixture(folder, fused(tensors) if in_one else tensors))


@pytest.fixture(params=[False, True], ids=["apart", "fused"])
def known_fused(request: pytest.FixtureRequest, session: Session, tmp_path: Path) -> bool:
    """Whether what is known, a base, one of its fine-tunes and a stranger, is stored fused."""
    models = {"base": BASE, "code": tuned(BASE, 2, "proj"), "twin": mixture(9)}
    for name, tensors in models.items():
        _ = write(tmp_path / name, tensors, in_one=request.param)
        _ = add_folder(session, tmp_path / name, f"zoo:{name}")
    return request.param


def test_the_same_weights_in_another_layout_are_said_to_be_that(
    session: Session, known_fused: bool, tmp_path: Path
) -> None:
    """As for tensors under other names: passed through, and never a fine-tune of itself."""
    answer = explain(session, write(tmp_path / "found", BASE, in_one=not known_fused))
    best = answer.best
    assert (answer.same, best is not None) == (None, True)
    assert best is not None
    assert (best.made_by, best.label, best.finding.score) == ("merge passthrough", "base", 1.0)
    assert "the same weights in another layout" in best.finding.sentence
    assert keep(session, answer) == ()
    child = session.registry.resolve("found")
    (made,) = session.registry.steps_of(child)
    assert (made.evidence, made.reproduces) == (Evidence.INFERRED, False)
    back = explain(session, "base")  # what is known to come from a model is no parent of it
    assert not {"base", "found"} & {one.label for one in back.ranking}


def test_a_fine_tune_finds_its_parent_in_another_layout(session: Session, known_fused: bool, tmp_path: Path) -> None:
    child = tuned(tuned(BASE, 2, "proj"), 3, "experts.1", "experts.2")
    answer = explain(session, write(tmp_path / "found", child, in_one=not known_fused))
    best = answer.best
    assert best is not None
    assert (best.finding.kind, best.label) == ("fine-tune", "code")
    assert best.finding.sentence.startswith("16 of 28 tensors equal")
    assert [one.label for one in answer.ranking if one.finding.relation.is_kin] == ["code", "base"]


def test_a_stranger_in_another_layout_stays_one(session: Session, known_fused: bool, tmp_path: Path) -> None:
    answer = explain(session, write(tmp_path / "found", mixture(20), in_one=not known_fused))
    assert answer.best is None
