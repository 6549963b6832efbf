"""Policies: what keeps a version from going on, told all at once."""

from dataclasses import replace

import pytest

from lineal.errors import AnswerIsNo, UsageError
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Evaluation
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from lineal.lineage.stated.policies import Policy, all_policies, allowed_licences, set_policy
from lineal.lineage.stated.promotion import promote
from tests.databases import Database
from tests.lineage.families import add_family, digest, step

CONFLICT = (
    "both: licence conflict: both <- code <- code.jsonl is gpl-3.0 (share-alike), "
    "both <- prose <- prose.jsonl is cc-by-nc-4.0 (non-commercial): "
    "gpl-3.0 is share-alike and allows no further restrictions, such as cc-by-nc-4.0 (non-commercial)"
)
V1 = SemanticVersion.parse("1.0.0")


def refused(registry: Registry, stage: Stage = Stage.STAGING) -> list[str]:
    """What is told against going on, without the words before it."""
    with pytest.raises(AnswerIsNo) as no:
        promote(registry, "both@1.0.0", stage)
    assert no.value.exit_code == 1
    lines = str(no.value).splitlines()
    assert all(line.startswith(f"demo:both@1.0.0 cannot go to {stage.value}: ") for line in lines)
    return [line.partition(": ")[2] for line in lines]


def test_everything_that_is_unmet_is_told_in_one_go(registry: Registry) -> None:
    hashes = add_family(registry)
    registry.add_version("both", V1, quality_score=70, metrics={"mmlu": 0.4})
    registry.taint(hashes["base"], "withdrawn", "")
    licence_records.state_data(registry, digest("code.jsonl"), "gpl-3.0")
    licence_records.state_data(registry, digest("prose.jsonl"), "cc-by-nc-4.0")
    registry.record(step(hashes["both"], digest("stranger"), evidence=Evidence.CLAIMED))
    policy = Policy(
        least={"quality_score": 80, "mmlu": 0.5, "arc": 0.3},
        most={"perplexity:code": 30},
        evidence=Evidence.RECORDED,
        licences=("mit", "gpl-3.0"),
    )
    set_policy(registry, "demo:both", Stage.STAGING, policy)
    stranger = f"b3:{digest('stranger').hex()[:8]}"
    assert refused(registry) == [
        "it is tainted by base (withdrawn): lineal clear base takes that back",
        CONFLICT,
        "arc is not known, at least 0.3 is needed",
        "mmlu is 0.4, at least 0.5 is needed",
        "quality_score is 70, at least 80 is needed",
        "perplexity:code is 32.6, at most 30 is needed",
        f"both <- {stranger} is claimed, recorded or better is needed",
        "both <- base <- all.txt is unknown; allowed: mit, gpl-3.0",
        "both <- prose <- prose.jsonl is cc-by-nc-4.0 (non-commercial); allowed: mit, gpl-3.0",
        f"both <- {stranger} is unknown; allowed: mit, gpl-3.0",
    ]
    assert registry.version("both@1.0.0").stage is Stage.DEVELOPMENT


def test_what_is_met_goes_on_and_a_way_back_is_always_open(registry: Registry) -> None:
    hashes = add_family(registry)
    registry.add_version("both", V1, quality_score=80, metrics={"mmlu": 0.5})
    policy = Policy(
        least={"quality_score": 80, "mmlu": 0.5}, most={"perplexity:code": 32.6}, evidence=Evidence.RECORDED
    )
    set_policy(registry, "demo:both", Stage.STAGING, policy)
    set_policy(registry, "demo:both", Stage.PRODUCTION, replace(policy, evidence=Evidence.REPLAYED))
    promote(registry, "both@1.0.0", Stage.STAGING)
    assert len(refused(registry, Stage.PRODUCTION)) == 5  # every edge up to base
    for name in ("both", "code", "prose"):
        registry.raise_evidence(registry.steps_of(hashes[name])[0], Evidence.REPLAYED, 1.0)
    promote(registry, "both@1.0.0", Stage.PRODUCTION)
    registry.taint(hashes["base"], "withdrawn", "")
    promote(registry, "both@1.0.0", Stage.STAGING)
    promote(registry, "both@1.0.0", Stage.DEVELOPMENT)
    assert len(refused(registry)) == 1


def test_a_family_s_policy_and_a_name_s_are_both_to_be_met(registry: Registry) -> None:
    add_family(registry)
    registry.add_version("both", V1, metrics={"a": 1, "b": 1})
    set_policy(registry, "demo", Stage.STAGING, Policy(least={"a": 2}))
    set_policy(registry, "demo:both", Stage.STAGING, Policy(least={"b": 2}))
    set_policy(registry, "demo:code", Stage.STAGING, Policy(least={"c": 2}))
    assert refused(registry) == ["a is 1, at least 2 is needed", "b is 1, at least 2 is needed"]
    set_policy(registry, "demo", Stage.STAGING, None)
    set_policy(registry, "demo:both", Stage.STAGING, Policy(most={"b": 1}))
    promote(registry, "both@1.0.0", Stage.STAGING)
    assert [str(entry.change["name"]) for entry in registry.journal("both")][:3] == [
        "demo:both@1.0.0", "demo:both", "demo:both",
    ]  # fmt: skip
    assert check(registry).faults == ()


def test_what_was_measured_is_needed_under_every_setting(registry: Registry) -> None:
    hashes = add_family(registry)
    registry.add_version("both", V1, metrics={"perplexity:code": 1})
    registry.record_evaluation(
        Evaluation(hashes["both"], "code", digest("code"), {"context": 512}, perplexity=41.0, tokens=1)
    )
    set_policy(registry, "demo:both", Stage.STAGING, Policy(most={"perplexity:code": 40}))
    assert refused(registry) == ["perplexity:code is 41, at most 40 is needed"]


def test_an_override_satisfies_a_list_of_licences(registry: Registry) -> None:
    hashes = add_family(registry)
    registry.add_version("both", V1)
    set_policy(registry, "demo", Stage.STAGING, Policy(licences=allowed_licences("Apache-2.0,mit")))
    assert len(refused(registry)) == 3
    licence_records.override(registry, hashes["both"], "mit", "asked for")
    promote(registry, "both@1.0.0", Stage.STAGING)


def test_policies_are_kept_as_they_were_given(registry: Registry, database: Database, place: str) -> None:
    add_family(registry)
    policy = Policy(least={"a": 1.5}, most={"b": -2}, evidence=Evidence.SIGNED, licences=("mit",))
    set_policy(registry, "demo:both", Stage.PRODUCTION, policy)
    set_policy(registry, "demo:both", Stage.PRODUCTION, policy)  # which changes nothing
    with registry.reading() as connection:
        assert list(all_policies(connection).values()) == [policy]
    assert str(policy) == "a at least 1.5; b at most -2; evidence signed or better; licences mit"
    assert len(registry.journal()) == 7 + 1
    database.run(place, "DELETE FROM policy")
    assert check(registry).faults == (
        "demo:both: its policy for production is not the one that the journal says",
        "policy: 1 of its rows is gone",
    )


def test_a_policy_that_cannot_be_meant_is_refused(registry: Registry) -> None:
    add_family(registry)
    for wrong in (
        Policy,
        lambda: Policy(least={"a": float("nan")}),
        lambda: Policy(least={"": 1}),
        lambda: Policy(least={"a b": 1}),
        lambda: Policy(least={"a": 2}, most={"a": 1}),
        lambda: Policy(evidence=Evidence.CONTRADICTED),
        lambda: allowed_licences("mit,"),
        lambda: allowed_licences("unknown"),
        lambda: set_policy(registry, "dmeo", Stage.STAGING, Policy(least={"a": 1})),
        lambda: set_policy(registry, "demo:bth", Stage.STAGING, Policy(least={"a": 1})),
        lambda: set_policy(registry, "demo", Stage.ARCHIVED, Policy(least={"a": 1})),
    ):
        with pytest.raises(UsageError):
            wrong()
    assert len(registry.journal()) == 7
