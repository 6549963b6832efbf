"""Grades of evidence: how they are ordered, how they rise, and what a path is worth."""

import itertools

import pytest

from lineal.errors import UsageError
from lineal.lineage.questions import ancestry
from lineal.lineage.records.evidence import Evidence, raised, weakest
from lineal.lineage.registry import Registry
from tests.lineage.families import add_family, hash_of, step

ORDER = ("contradicted", "claimed", "inferred", "recorded", "signed", "replayed")
A, B, C = (hash_of(name) for name in "abc")


def test_the_grades_are_ordered():
    assert [grade.value for grade in sorted(Evidence)] == list(ORDER)
    assert [grade.value for grade in Evidence if grade.is_witnessed] == ["recorded", "signed", "replayed"]


def test_a_path_is_as_good_as_its_weakest_edge():
    assert weakest([Evidence.REPLAYED, Evidence.CLAIMED, Evidence.SIGNED]) is Evidence.CLAIMED
    assert weakest([Evidence.REPLAYED, Evidence.CONTRADICTED]) is Evidence.CONTRADICTED
    assert weakest([]) is None


@pytest.mark.parametrize(("known", "new"), list(itertools.product(Evidence, Evidence)))
def test_a_grade_never_falls_and_a_contradiction_is_never_outweighed(known: Evidence, new: Evidence):
    standing = (known, 0.5 if known is Evidence.REPLAYED else None)
    grade, share = raised(standing, new, 0.25 if new is Evidence.REPLAYED else None)
    if Evidence.CONTRADICTED in (known, new):
        assert (grade, share) == (Evidence.CONTRADICTED, None)
    else:
        assert grade is max(known, new)
        assert (share is not None) == (grade is Evidence.REPLAYED)


def test_a_larger_share_replayed_stands():
    assert raised((Evidence.REPLAYED, 0.25), Evidence.REPLAYED, 1.0) == (Evidence.REPLAYED, 1.0)
    assert raised((Evidence.REPLAYED, 1.0), Evidence.REPLAYED, 0.25) == (Evidence.REPLAYED, 1.0)


@pytest.mark.parametrize(("grade", "share"), [(Evidence.REPLAYED, None), (Evidence.SIGNED, 0.5)])
def test_a_share_goes_with_a_replay_and_with_nothing_else(grade: Evidence, share: float | None):
    with pytest.raises(UsageError, match="a share goes with replayed and with nothing else"):
        _ = raised((Evidence.RECORDED, None), grade, share)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_is_a_part_of_the_whole(share: float):
    with pytest.raises(UsageError, match=r"the share replayed must be in \(0, 1\]"):
        _ = raised((Evidence.RECORDED, None), Evidence.REPLAYED, share)


def test_the_evidence_of_a_step_is_raised_and_kept(registry: Registry):
    hashes = add_family(registry)
    (record,) = registry.steps_of(hashes["both"])
    assert registry.raise_evidence(record, Evidence.REPLAYED, 0.25) is Evidence.REPLAYED
    assert registry.raise_evidence(record, Evidence.SIGNED) is Evidence.REPLAYED
    (kept,) = registry.steps_of(hashes["both"])
    assert (kept.evidence, kept.share) == (Evidence.REPLAYED, 0.25)
    assert registry.raise_evidence(record, Evidence.CONTRADICTED) is Evidence.CONTRADICTED
    assert registry.raise_evidence(record, Evidence.REPLAYED, 1.0) is Evidence.CONTRADICTED


def test_evidence_for_a_step_that_was_never_recorded_is_refused(registry: Registry):
    _ = registry.record(step(B, A))
    with pytest.raises(UsageError, match="is not in the registry: record it first"):
        _ = registry.raise_evidence(step(B, A, rank=2), Evidence.SIGNED)


def test_a_path_between_models_is_worth_its_weakest_edge_and_an_edge_its_best_step(registry: Registry):
    steps = [step(B, A), step(C, B, evidence=Evidence.CLAIMED), step(C, B, evidence=Evidence.INFERRED, rank=2)]
    _ = registry.record_all(steps)
    assert ancestry.path_evidence(registry, ancestry.path(registry, A, B)) is Evidence.RECORDED
    assert ancestry.path_evidence(registry, ancestry.path(registry, A, C)) is Evidence.INFERRED
    assert ancestry.path_evidence(registry, (A,)) is None
    with pytest.raises(UsageError, match="no edge leads from b3:"):
        _ = ancestry.path_evidence(registry, (A, C))
