"""What an earlier version of a method made: no cache hit, no contradiction, and said so in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from lineal.cli.verdicts import lines_of
from lineal.family.build.request import work_key
from lineal.family.build.run import FamilyRun, run_family
from lineal.family.file.read import read_family
from lineal.family.origin.add import add_folder
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import read_provenance
from tests.builders import read_folder
from tests.family import old_versions
from tests.family.old_versions import KEPT, MADE


@pytest.fixture
def kitchen(tmp_path: Path, session: Session) -> Path:
    """The parents and, registered, the children that an earlier lineal made of them."""
    old_versions.parents(tmp_path)
    old_versions.children(tmp_path)
    for place in [*(tmp_path / name for name in "abc"), *(tmp_path / "models" / name for name in MADE)]:
        add_folder(session, place)
    return tmp_path


@pytest.mark.parametrize("child", MADE)
def test_verification_says_that_it_was_made_under_another_version(kitchen: Path, session: Session, child: str) -> None:
    (verdict,) = verify_references(session, [str(kitchen / "models" / child)])
    said = f"made under version 1 of {MADE[child]}, and this lineal computes version 2"
    assert lines_of(verdict) == [f"{child}: ok, hashed (could not be recomputed: {said})"]
    (record,) = session.registry.steps_of(verdict.model_hash)
    assert record.evidence is Evidence.RECORDED


def test_a_child_of_another_version_is_no_hit_and_its_step_is_kept(kitchen: Path, session: Session) -> None:
    before = {child: read_folder(KEPT / child) for child in MADE}
    known = {child: read_provenance(KEPT / child) for child in MADE}
    local = run_family(session, read_family(kitchen / "family.yaml"), kitchen / "models")
    for child, old in known.items():
        made = read_provenance(local[child].path)
        assert made is not None
        assert old is not None
        assert made.step.derivation_id != old.step.derivation_id
        after = read_folder(local[child].path)
        assert any((after[name] != values).any() for name, values in before[child].items())
        (record,) = session.registry.steps_of(old.hashes.manifest.model_hash)
        assert record.evidence is Evidence.RECORDED
    assert all(verdict.ok for verdict in verify_references(session, [f"older:{child}" for child in MADE]))
    assert {session.registry.steps_of(local[child].model_hash)[0].evidence for child in MADE} == {Evidence.REPLAYED}


def test_a_recipe_records_the_version_of_its_method(kitchen: Path, session: Session) -> None:
    local = run_family(session, read_family(kitchen / "family.yaml"), kitchen / "models", ["sliced"])
    (record,) = session.registry.steps_of(local["sliced"].model_hash)
    assert (record.step.version, record.step.options["method_version"]) == (1, 2)


def test_what_a_killed_run_of_another_version_left_is_other_work(
    tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = read_family(old_versions.parents(tmp_path))
    run = FamilyRun(session, family, tmp_path / "models")
    for name in "abc":
        run.models[name] = run.find_original(family.models[name])
    request = run.request(family.models["trimmed"])
    unhashed = replace(request, inputs=tuple((role, replace(local, hashes=None)) for role, local in request.inputs))
    monkeypatch.setattr(Session, "recall", lambda _session, local: local)
    before = work_key(session, unhashed)
    monkeypatch.setattr(type(request.method), "version", 1)
    assert work_key(session, unhashed) != before
