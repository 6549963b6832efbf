"""lineal policy, and promote under one."""

import json

import pytest

from lineal.lineage.registry import Registry
from tests.cli.conftest import Run
from tests.lineage.families import EXAMPLE, add_family


@pytest.fixture
def registry(registry: Registry) -> Registry:
    _ = add_family(registry, EXAMPLE[:4])
    return registry


def test_a_policy_is_set_shown_met_and_removed(registry: Registry, run: Run) -> None:
    assert run("policy") == (0, "", "")
    asks = ("--min", "quality_score=80", "--max", "perplexity:code=40", "--evidence", "recorded")
    said = "quality_score at least 80; perplexity:code at most 40; evidence recorded or better"
    line = f"demo:both  staging     {said}\n"
    assert run("policy", "demo:both", "--stage", "staging", *asks) == (0, line, "")
    assert run("policy", "demo", "--stage", "production", "--licences", "MIT,apache-2.0")[0] == 0
    assert run("policy", "demo")[1].splitlines() == [
        "demo       production  licences mit, apache-2.0",
        line.rstrip("\n"),
    ]
    told = json.loads(run("policy", "--json")[1])
    assert told[1] == {
        "name": "demo:both",
        "stage": "staging",
        "min": {"quality_score": 80.0},
        "max": {"perplexity:code": 40.0},
        "evidence": "recorded",
        "licences": None,
    }
    _ = run("tag", "both", "1.0.0", "--score", "70")
    refusal = "lineal: demo:both@1.0.0 cannot go to staging: quality_score is 70, at least 80 is needed\n"
    assert run("promote", "both@1.0.0", "staging") == (1, "", refusal)
    _ = run("tag", "both", "1.0.0", "--score", "81")
    assert run("promote", "both@1.0.0", "staging")[0] == 0
    code, _, err = run("promote", "both@1.0.0", "production")
    assert (code, err.count("cannot go to production: both <- ")) == (1, 3)
    assert run("policy", "demo", "--stage", "production", "--remove") == (0, line, "")
    assert run("promote", "both@1.0.0", "production")[0] == 0
    told_by_journal = run("journal")[1]
    assert "demo has no policy for production any more\n" in told_by_journal
    assert f"demo:both must meet for staging: {said}\n" in told_by_journal


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("demo", "--min", "a=1"), "and for a --stage"),
        (("--stage", "staging", "--min", "a=1"), "FAMILY or FAMILY:NAME"),
        (("demo", "--stage", "staging"), "--stage goes with what the policy asks for"),
        (("demo", "--stage", "staging", "--remove", "--min", "a=1"), "--remove takes a policy away"),
        (("demo", "--stage", "staging", "--min", "a"), "--min a: NAME=VALUE is needed"),
        (("demo", "--stage", "staging", "--min", "a=1", "--min", "a=2"), "--min a=2: a is given twice"),
        (("demo", "--stage", "live", "--min", "a=1"), "there is no stage 'live'"),
        (("demo", "--stage", "archived", "--min", "a=1"), "versions go on to staging or production"),
        (("demo", "--stage", "staging", "--evidence", "sure"), "there is no grade of evidence 'sure'"),
        (("demo", "--stage", "staging", "--licences", "my own"), "'my own' is not a licence"),
        (("dmeo", "--stage", "staging", "--min", "a=1"), "is called 'dmeo' (families: demo)"),
    ],
)
def test_what_cannot_be_meant_is_refused(registry: Registry, run: Run, words: tuple[str, ...], complaint: str) -> None:
    code, out, err = run("policy", *words)
    assert (code, out) == (2, "")
    assert complaint in err
