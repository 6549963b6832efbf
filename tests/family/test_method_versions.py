"""What an earlier version of a method made: no cache hit, no contradiction, and said so in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from lineal.cli.verdicts import lines_of
from lineal.family.build.request import work_key
from lineal.family.build.run import Workbench, run_family
from lineal.family.file.read import read_family
from lineal.family.origin.add import add_folder
from lineal.family.session import Workshop
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import read_provenance
from tests.builders import read_folder
from tests.family import old_versions
from tests.family.old_versions import KEPT, MADE


@pytest.fixture
def kitchen(tmp_path: Path, workshop: Workshop) -> Path:
    """The parents and, registered, the children that an earlier lineal made of them."""
    old_versions.parents(tmp_path)
    old_versions.children(tmp_path)
    for place in [*(tmp_path / name for name in "abc"), *(tmp_path / "models" / name for name in MADE)]:
        add_folder(workshop, place)
    return tmp_path


@pytest.mark.parametrize("child", MADE)
def test_verification_says_that_it_was_made_under_another_version(
    kitchen: Path, workshop: Workshop, child: str
) -> None:
    (verdict,) = verify_references(workshop, [str(kitchen / "models" / child)])
    said = f"made under version 1 of {MADE[child]}, and this lineal computes version 2"
    assert lines_of(verdict) == [f"{child}: ok, hashed (could not be recomputed: {said})"]
    (record,) = workshop.registry.steps_of(verdict.model_hash)
    assert record.evidence is Evidence.RECORDED


def test_a_child_of_another_version_is_no_hit_and_its_step_is_kept(kitchen: Path, workshop: Workshop) -> None:
    before = {child: read_folder(KEPT / child) for child in MADE}
    known = {child: read_provenance(KEPT / child) for child in MADE}
    placed = run_family(workshop, read_family(kitchen / "family.yaml"), kitchen / "models")
    for child, old in known.items():
        made = read_provenance(placed[child].place)
        assert made is not None
        assert old is not None
        assert made.step.derivation_id != old.step.derivation_id
        after = read_folder(placed[child].place)
        assert any((after[name] != values).any() for name, values in before[child].items())
        (record,) = workshop.registry.steps_of(old.hashes.manifest.model_hash)
        assert record.evidence is Evidence.RECORDED
    assert all(verdict.ok for verdict in verify_references(workshop, [f"older:{child}" for child in MADE]))
    assert {workshop.registry.steps_of(placed[child].model_hash)[0].evidence for child in MADE} == {Evidence.REPLAYED}


def test_a_recipe_records_the_version_of_its_method(kitchen: Path, workshop: Workshop) -> None:
    placed = run_family(workshop, read_family(kitchen / "family.yaml"), kitchen / "models", ["sliced"])
    (record,) = workshop.registry.steps_of(placed["sliced"].model_hash)
    assert (record.step.version, record.step.options["method_version"]) == (1, 2)


def test_what_a_killed_run_of_another_version_left_is_other_work(
    tmp_path: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = read_family(old_versions.parents(tmp_path))
    bench = Workbench(workshop, family, tmp_path / "models")
    for name in "abc":
        bench.placed[name] = bench.bring(family.models[name])
    order = bench.order(family.models["trimmed"])
    unhashed = replace(order, inputs=tuple((role, replace(placed, hashes=None)) for role, placed in order.inputs))
    monkeypatch.setattr(Workshop, "recall", lambda _workshop, placed: placed)
    before = work_key(workshop, unhashed)
    monkeypatch.setattr(type(order.method), "version", 1)
    assert work_key(workshop, unhashed) != before
