"""Taints: on a model, and through it on all that was made from it."""

import pytest

from lineal.errors import AnswerIsNo, UsageError
from lineal.lineage.questions.portrait import portrait
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from lineal.lineage.stated.promotion import promote
from tests.lineage.families import add_family, digest, step

V1 = SemanticVersion.parse("1.0.0")


def test_a_taint_reaches_what_was_made_and_what_will_be_made(registry: Registry) -> None:
    hashes = add_family(registry)
    registry.taint(hashes["code"], "leaked tests", "issue-214")
    tainted = {name for name, digest in hashes.items() if registry.taints_of(digest)}
    assert tainted == {"code", "both", "small", "lean", "q4"}
    _ = registry.record(step(digest("later"), hashes["lean"]))
    (taint,) = registry.taints_of(digest("later"))
    assert (taint.model, taint.reason, taint.source) == (hashes["code"], "leaked tests", "issue-214")
    assert [(one.model, reached) for one, reached in registry.taints()] == [(hashes["code"], 5)]
    assert [one.reason for one in portrait(registry, hashes["q4"]).taints] == ["leaked tests"]


def test_clearing_takes_back_a_model_s_own_taints_alone(registry: Registry) -> None:
    hashes = add_family(registry)
    registry.taint(hashes["code"], "one", "")
    registry.taint(hashes["code"], "two", "")
    registry.taint(hashes["both"], "three", "")
    assert registry.clear(hashes["lean"], "nothing there") == 0
    assert registry.clear(hashes["code"], "mended") == 2
    assert [taint.reason for taint in registry.taints_of(hashes["lean"])] == ["three"]
    assert registry.taints_of(hashes["code"]) == ()
    assert registry.clear(hashes["both"], "mended") == 1
    assert registry.taints() == ()
    assert check(registry).faults == ()
    assert [entry.change["change"] for entry in registry.journal(limit=5)] == 2 * ["clear"] + 3 * ["taint"]


def test_a_tainted_version_goes_no_further_until_it_is_cleared(registry: Registry) -> None:
    hashes = add_family(registry)
    registry.add_version("both", V1)
    registry.taint(hashes["base"], "licence withdrawn", "")
    with pytest.raises(AnswerIsNo, match=r"is tainted by base \(licence withdrawn\): lineal clear base"):
        promote(registry, "both@1.0.0", Stage.STAGING)
    registry.clear(hashes["base"], "bought")
    promote(registry, "both@1.0.0", Stage.STAGING)
    promote(registry, "both@1.0.0", Stage.PRODUCTION)
    registry.taint(hashes["base"], "again", "")
    promote(registry, "both@1.0.0", Stage.STAGING)  # a step back
    with pytest.raises(AnswerIsNo, match="is tainted by base"):
        promote(registry, "both@1.0.0", Stage.PRODUCTION)


def test_a_taint_and_a_clearing_need_a_reason(registry: Registry) -> None:
    hashes = add_family(registry)
    for call in (lambda: registry.taint(hashes["code"], " ", "x"), lambda: registry.clear(hashes["code"], "")):
        with pytest.raises(UsageError, match="needs a reason"):
            call()
