"""Weights in one layout and in another: where they come from, and what is recorded of them."""

import json
from pathlib import Path

import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError, RegistryError
from lineal.family.file.recipe import Reference
from lineal.family.origin.add import add_folder
from lineal.family.origin.adopt import explain, keep
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import read_provenance
from lineal.methods.merge.linear import Linear
from tests.builders import Array, read_folder, write_safetensors
from tests.family.conftest import derive_one
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


def merged(session: Session, tmp_path: Path) -> Path:
    """A child of lineal's, with its record."""
    for seed, name in enumerate("ab"):
        _ = write(tmp_path / name, mixture(seed), in_one=False)
    inputs = [Reference("parent", str(tmp_path / name)) for name in "ab"]
    return derive_one(session, "merge", Linear(), inputs, tmp_path / "child").path


def test_a_child_of_a_known_architecture_has_its_layout_hash_in_its_record_and_the_registry(
    session: Session, tmp_path: Path
) -> None:
    child = merged(session, tmp_path)
    record, found = read_provenance(child), hash_folder(child)
    assert record is not None
    assert record.layout_hash == session.registry.model(found.manifest.model_hash).layout_hash == found.layout_hash
    assert found.layout_hash is not None


def test_a_layout_hash_is_believed_as_far_as_hashing_confirms_it(session: Session, tmp_path: Path) -> None:
    child = merged(session, tmp_path)
    (verdict,) = verify_references(session, ["child"], recompute=False)
    assert verdict.ok
    record = json.loads((child / "lineal.json").read_text())
    record["layout_hash"] = f"b3:{'0' * 64}"
    (child / "lineal.json").write_text(json.dumps(record))
    (verdict,) = verify_references(session, ["child"], recompute=False)
    assert [fault.split(": ")[1] for fault in verdict.faults] == [
        f"lineal.json tells of the layout hash b3:00000000, that of the weights here is {layout(child)[:11]}"
    ]
    with pytest.raises(CheckpointError, match="tells of the layout hash b3:00000000"):
        _ = add_folder(session, child)


def test_a_layout_hash_that_the_registry_has_otherwise_is_told(session: Session, tmp_path: Path) -> None:
    _ = merged(session, tmp_path)
    with session.registry.writing() as connection:
        _ = connection.execute("UPDATE model SET layout_hash = weights_hash")
    (verdict,) = verify_references(session, ["child"], recompute=False)
    assert [fault.split(": ")[1].partition(" b3:")[0] for fault in verdict.faults] == [
        "the registry tells of the layout hash"
    ]


def test_a_folder_that_was_saved_in_another_layout_is_said_to_hold_the_same_weights(
    session: Session, tmp_path: Path
) -> None:
    same = "b3:[0-9a-f]{8}, the same weights in another layout$"
    child = merged(session, tmp_path)
    model = session.registry.resolve("child")
    write_safetensors(child / "model.safetensors", fused(read_folder(child)), {"format": "pt"})
    with pytest.raises(CheckpointError, match=f"holds b3:[0-9a-f]{{8}}, its record is of {same}"):
        _ = add_folder(session, child)
    with pytest.raises(RegistryError, match=f"^child should be b3:[0-9a-f]{{8}}, but .* now holds {same}"):
        _ = session.by_hash(model)
    write_safetensors(child / "model.safetensors", mixture(3), {"format": "pt"})
    with pytest.raises(RegistryError, match=r"now holds b3:[0-9a-f]{8}$"):
        _ = session.by_hash(model)


def layout(folder: Path) -> str:
    found = hash_folder(folder).layout_hash
    assert found is not None
    return format_hash(found)
