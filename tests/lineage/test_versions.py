"""Versions of names: of one model for good, in a stage, with tags, a score and metrics."""

import math
from itertools import product
from pathlib import Path

import pytest

from lineal.errors import RegistryError, UsageError
from lineal.lineage.questions.portrait import portrait
from lineal.lineage.records.records import ModelVersion, Name
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from lineal.lineage.stated.promotion import promote
from tests.lineage.families import add_family, digest, model
from tests.lineage.test_stages import ALLOWED

ONE, TWO = SemanticVersion(1, 0, 0), SemanticVersion(2, 0, 0)

WAYS = {
    Stage.DEVELOPMENT: (),
    Stage.STAGING: (Stage.STAGING,),
    Stage.PRODUCTION: (Stage.STAGING, Stage.PRODUCTION),
    Stage.ARCHIVED: (Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED),
}


@pytest.fixture
def hashes(registry: Registry) -> dict[str, bytes]:
    """Two models, called demo:both and demo:code."""
    known = {name: registry.add_model(model(name)) for name in ("both", "code")}
    for name, model_hash in known.items():
        registry.set_name(Name("demo", name, model_hash))
    return known


def test_a_version_begins_in_development_and_bare(registry: Registry, hashes: dict[str, bytes]):
    known = registry.add_version("both", ONE)
    assert known == ModelVersion("demo", "both", ONE, hashes["both"], Stage.DEVELOPMENT, created=known.created)
    assert (known.tags, known.quality_score, known.metrics) == ((), None, {})
    assert str(known) == "demo:both@1.0.0"
    assert registry.versions("both") == registry.versions_of(hashes["both"]) == (known,)
    assert registry.version("both@1.0.0") == known


def test_a_version_is_kept_with_all_that_is_said_of_it(place: str, registry: Registry, hashes: dict[str, bytes]):
    known = registry.add_version("both", ONE, tags=("good", "fast", "good"), quality_score=87.5, metrics={"mmlu": 0.61})
    assert (known.tags, known.quality_score, known.metrics) == (("fast", "good"), 87.5, {"mmlu": 0.61})
    with Registry.open_existing(place) as again:
        assert again.version("both@good") == known


def test_saying_more_of_a_version_keeps_what_was_said(registry: Registry, hashes: dict[str, bytes]):
    first = registry.add_version("both", ONE, tags=("b",), quality_score=50, metrics={"x": 1.0, "z": 3.0})
    _ = promote(registry, "both@1.0.0", Stage.STAGING)
    known = registry.add_version("both", ONE, tags=("a",), metrics={"y": 2.0, "x": -1.5})
    assert (known.tags, known.quality_score) == (("a", "b"), 50)
    assert list(known.metrics.items()) == [("x", -1.5), ("y", 2.0), ("z", 3.0)]
    assert (known.stage, known.created) == (Stage.STAGING, first.created)
    known = registry.add_version("both", ONE, tags=("c",), untag=("a", "b"), quality_score=0.0)
    assert (known.tags, known.quality_score) == (("c",), 0.0)
    assert registry.versions("both") == (known,)


def test_a_version_never_changes_its_model(registry: Registry, hashes: dict[str, bytes]):
    known = registry.add_version("both", ONE)
    newer = registry.add_model(model("newer"))
    registry.set_name(Name("demo", "both", newer))
    with pytest.raises(UsageError) as refused:
        _ = registry.add_version("both", ONE, tags=("new",))
    assert str(refused.value) == (
        f"demo:both@1.0.0 is b3:{hashes['both'].hex()[:8]} for good, it cannot become b3:{newer.hex()[:8]}: "
        "choose another version, or name the model demo:both@1.0.0"
    )
    assert registry.version("both@1.0.0") == known
    assert registry.add_version("both", TWO).model_hash == newer
    assert registry.add_version("demo:both@1.0.0", ONE, tags=("old",)).model_hash == hashes["both"]
    assert registry.resolve("both@1.0.0") == hashes["both"]


def test_a_release_is_made_of_its_candidate_wherever_the_name_is_by_then(registry: Registry, hashes: dict[str, bytes]):
    candidate = SemanticVersion.parse("1.0.0-rc.1")
    _ = registry.add_version("both", candidate)
    registry.set_name(Name("demo", "both", registry.add_model(model("newer"))))
    assert registry.add_version("both@1.0.0-rc.1", ONE).model_hash == hashes["both"]
    assert [v.version for v in registry.versions_of(hashes["both"])] == [ONE, candidate]


def test_an_alias_is_a_tag_that_one_version_has_at_a_time(registry: Registry, hashes: dict[str, bytes]):
    _ = registry.add_version("both", ONE, tags=("good",), aliases=("champion",))
    _ = registry.add_version("code", ONE, aliases=("champion",))
    assert str(registry.version("both@champion")) == "demo:both@1.0.0"
    registry.set_name(Name("demo", "both", registry.add_model(model("newer"))))
    moved = registry.add_version("both", TWO, aliases=("champion", "newest"))
    assert moved.tags == ("champion", "newest")
    assert registry.version("both@1.0.0").tags == ("good",)
    assert registry.resolve("both@champion") == moved.model_hash
    assert registry.resolve("code@champion") == hashes["code"]
    said = [(entry.change["name"], entry.change["tags"]) for entry in registry.journal("both", limit=2)]
    assert said == [("demo:both@2.0.0", ["champion", "newest"]), ("demo:both@1.0.0", ["good"])]
    assert registry.add_version("both@champion", TWO, aliases=("champion",)) == moved
    with pytest.raises(UsageError, match="cannot be given and taken away at once"):
        _ = registry.add_version("both", TWO, aliases=("champion",), untag=("champion",))
    with pytest.raises(UsageError, match="'production' is not a tag"):
        _ = registry.add_version("both", TWO, aliases=("production",))
    assert registry.version("both@champion") == moved
    assert check(registry).faults == ()


def test_versions_are_listed_the_highest_first(registry: Registry, hashes: dict[str, bytes]):
    for written in ("1.9.0", "1.10.0-rc.1", "1.10.0", "0.1.0"):
        _ = registry.add_version("both", SemanticVersion.parse(written))
    assert [str(v.version) for v in registry.versions("demo:both")] == ["1.10.0", "1.10.0-rc.1", "1.9.0", "0.1.0"]
    assert registry.versions("code") == ()


def test_names_have_versions_of_their_own(registry: Registry, hashes: dict[str, bytes]):
    registry.set_name(Name("team", "merged", hashes["both"]))
    _ = registry.add_version("both", ONE, tags=("ours",))
    _ = registry.add_version("code", ONE)
    _ = registry.add_version("team:merged", TWO)
    assert [str(v) for v in registry.versions("both")] == ["demo:both@1.0.0"]
    assert [str(v) for v in registry.versions_of(hashes["both"])] == ["team:merged@2.0.0", "demo:both@1.0.0"]
    assert registry.versions_of(hashes["code"])[0].tags == ()


def test_a_hash_or_place_gets_a_version_under_its_only_name(registry: Registry, tmp_path: Path):
    hashes = add_family(registry, folder=tmp_path)
    assert str(registry.add_version(f"b3:{hashes['both'].hex()[:8]}", ONE)) == "demo:both@1.0.0"
    assert str(registry.add_version(f"{tmp_path}/code", ONE)) == "demo:code@1.0.0"
    unnamed = f"b3:{registry.add_model(model('unnamed')).hex()}"
    with pytest.raises(UsageError, match=f"'{unnamed}' has no name to which a version could belong: lineal add"):
        _ = registry.add_version(unnamed, ONE)
    registry.set_name(Name("team", "merged", hashes["both"]))
    with pytest.raises(UsageError, match="may mean demo:both, team:merged: say which"):
        _ = registry.add_version(f"b3:{hashes['both'].hex()}", TWO)


@pytest.mark.parametrize(("here", "there"), [*product(Stage, Stage)])
def test_a_version_is_promoted_as_the_stages_allow(
    registry: Registry, hashes: dict[str, bytes], here: Stage, there: Stage
):
    _ = registry.add_version("both", ONE, tags=("kept",), quality_score=3, metrics={"x": 1})
    for stage in WAYS[here]:
        _ = promote(registry, "both@1.0.0", stage)
    known = registry.version("both@1.0.0")
    if (here.value, there.value) in ALLOWED:
        before, after = promote(registry, "both@kept", there)
        assert (before, before.stage, after.stage) == (known, here, there)
        assert (after.tags, after.quality_score, after.metrics) == (("kept",), 3, {"x": 1})
        assert registry.version("both@1.0.0") == after
        return
    allowed = " or ".join(stage.value for stage in here.next_stages)
    with pytest.raises(UsageError) as refused:
        _ = promote(registry, "both@1.0.0", there)
    assert str(refused.value) == (
        f"demo:both@1.0.0 is in {here.value}: from there it goes to {allowed}, not to {there.value}"
    )
    assert registry.version("both@1.0.0") == known


def test_promotion_of_a_stage_moves_its_highest_version_only(registry: Registry, hashes: dict[str, bytes]):
    for version in (ONE, TWO):
        _ = registry.add_version("both", version)
    _, after = promote(registry, "both@development", Stage.STAGING)
    assert after.version == TWO
    assert registry.version("both@development").version == ONE


@pytest.mark.parametrize(
    "tag", ["", "1st", "a b", "a/b", "a@b", "-x", "production", "1.0.0", "caf\u00e9", "x\n", "a,b"]
)
def test_a_tag_that_could_be_taken_for_something_else_is_refused(
    registry: Registry, hashes: dict[str, bytes], tag: str
):
    with pytest.raises(UsageError, match="is not a tag: a letter, then letters, digits"):
        _ = registry.add_version("both", ONE, tags=("fine", tag))
    assert registry.versions("both") == ()


def test_a_tag_that_is_not_there_cannot_be_taken_away(registry: Registry, hashes: dict[str, bytes]):
    known = registry.add_version("both", ONE, tags=("good",))
    for tags, untag, complaint in (
        ((), ("god",), r"demo:both@1\.0\.0 has no tag 'god' to take away \(tags: good\)"),
        (("good",), ("good",), "'good' cannot be given and taken away at once"),
    ):
        with pytest.raises(UsageError, match=complaint):
            _ = registry.add_version("both", ONE, tags=tags, untag=untag)
    with pytest.raises(UsageError, match=r"no tag 'x' to take away \(tags: none\)"):
        _ = registry.add_version("both", TWO, untag=("x",))
    assert registry.versions("both") == (known,)


@pytest.mark.parametrize("score", [-0.001, 100.001, math.nan, math.inf, -math.inf])
def test_a_quality_score_outside_0_to_100_is_refused(registry: Registry, hashes: dict[str, bytes], score: float):
    with pytest.raises(UsageError, match=r"demo:both@1\.0\.0: a quality score is 0 to 100, got"):
        _ = registry.add_version("both", ONE, quality_score=score)
    assert registry.versions("both") == ()


@pytest.mark.parametrize("score", [0, 100, 0.1])
def test_a_quality_score_of_0_to_100_is_kept(registry: Registry, hashes: dict[str, bytes], score: float):
    _ = registry.add_version("both", ONE, quality_score=score)
    assert registry.version("both@1.0.0").quality_score == score


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_refused(registry: Registry, hashes: dict[str, bytes], figure: float):
    with pytest.raises(UsageError, match="a metric must be finite"):
        _ = registry.add_version("both", ONE, metrics={"fine": 1.0, "wrong": figure})
    assert registry.versions("both") == ()


@pytest.mark.parametrize("metric", ["", "a b", "a=b", "tab\t", "caf\u00e9"])
def test_a_metric_without_a_plain_name_is_refused(registry: Registry, hashes: dict[str, bytes], metric: str):
    with pytest.raises(UsageError, match="is not a metric's name: visible ASCII characters without '='"):
        _ = registry.add_version("both", ONE, metrics={metric: 1.0})


def test_a_metric_may_be_called_as_the_field_calls_it(registry: Registry, hashes: dict[str, bytes]):
    metrics = {"pass@1": 0.5, "rouge-L/f1": 0.25, "bits_per_byte": 1e-300}
    assert registry.add_version("both", ONE, metrics=metrics).metrics == metrics
    assert registry.version("both@1.0.0").metrics == metrics


def test_the_tables_themselves_refuse_what_no_version_can_be(registry: Registry, hashes: dict[str, bytes]):
    _ = registry.add_version("both", ONE)
    for change in ("stage = 'retired'", "quality_score = 100.5", "model_id = 999", "semver = NULL"):
        with pytest.raises(RegistryError, match="constraint"), registry._store.writing() as connection:
            _ = connection.execute_raw(f"UPDATE version SET {change}")


def test_a_portrait_shows_the_versions_of_the_model_by_every_name(registry: Registry, hashes: dict[str, bytes]):
    registry.set_name(Name("team", "merged", hashes["both"]))
    known = registry.add_version("both", ONE), registry.add_version("merged", TWO)
    assert portrait(registry, hashes["both"]).versions == known[::-1]
    assert portrait(registry, hashes["code"]).versions == ()


def test_a_version_of_a_model_that_nobody_knows_is_refused(registry: Registry, hashes: dict[str, bytes]):
    with pytest.raises(UsageError, match="no model is called 'ghost'"):
        _ = registry.add_version("ghost", ONE)
    with pytest.raises(UsageError, match="no model's hash begins with"):
        _ = registry.add_version(f"b3:{digest('ghost').hex()}", ONE)
