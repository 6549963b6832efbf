"""References: what a name, a version of one, the beginning of a hash or a place stands for; what a model is called."""

from pathlib import Path

import pytest

from lineal.errors import UsageError
from lineal.lineage.records.records import Name
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.stated.promotion import promote
from tests.lineage.families import add_family, model, step


def test_a_bare_name_works_where_it_is_unique(registry: Registry):
    ours, theirs = add_family(registry), add_family(registry, family="other")
    registry.set_name(Name("other", "only", theirs["base"]))
    assert registry.resolve("only") == theirs["base"]
    assert registry.resolve("demo:base") == ours["base"]
    with pytest.raises(UsageError, match="'base' is the name of 2 models: demo:base, other:base"):
        _ = registry.resolve("base")


def test_a_bare_name_that_two_families_give_to_one_model_is_unique(registry: Registry):
    model_hash = registry.add_model(model("a"))
    for family in ("one", "two"):
        registry.set_name(Name(family, "llama", model_hash))
    assert registry.resolve("llama") == model_hash


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("cod", "did you mean demo:code?"),
        ("demo:prosa", "did you mean demo:prose?"),
        ("other:base", "did you mean demo:base?"),
        ("zzzzzz", "known: demo:base, demo:code, demo:prose, demo:both, demo:small, ..."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_known_one(registry: Registry, reference: str, hint: str):
    _ = add_family(registry)
    with pytest.raises(UsageError) as refused:
        _ = registry.resolve(reference)
    assert str(refused.value) == f"no model is called {reference!r} ({hint})"


def test_where_nothing_has_a_name_that_is_said(registry: Registry):
    with pytest.raises(UsageError, match="no model has a name yet"):
        _ = registry.resolve("base")


@pytest.mark.parametrize("digits", [8, 9, 31, 64])
def test_the_beginning_of_a_hash_is_enough(registry: Registry, digits: int):
    hashes = add_family(registry)
    written = hashes["code"].hex()[:digits]
    assert registry.resolve(f"b3:{written}") == hashes["code"]
    assert registry.resolve(f"b3:{written.upper()}") == hashes["code"]


@pytest.mark.parametrize("reference", ["b3:", "b3:1234567", "b3:xyzxyzxyz", "b3:" + "0" * 65])
def test_what_is_no_beginning_of_a_hash_is_refused(registry: Registry, reference: str):
    with pytest.raises(UsageError, match="a hash is b3: and 8 to 64 hex digits"):
        _ = registry.resolve(reference)


def test_an_ambiguous_beginning_is_answered_with_all_that_begin_so(registry: Registry):
    one, other = b"\x12\x34\x56\x78" + bytes(28), b"\x12\x34\x56\x78" + b"\xff" * 28
    _ = registry.record(step(one, other))
    registry.set_name(Name("demo", "one", one))
    with pytest.raises(UsageError, match=f"several models: b3:{one.hex()} demo:one, b3:{other.hex()}$"):
        _ = registry.resolve("b3:12345678")
    assert registry.resolve("b3:123456780") == one
    assert registry.resolve("b3:12345678f") == other
    with pytest.raises(UsageError, match="no model's hash begins with 'b3:123456781'"):
        _ = registry.resolve("b3:123456781")


def test_a_path_where_no_model_is_known_to_lie_is_refused(registry: Registry):
    with pytest.raises(UsageError, match=r"no model is known to lie at '\./nowhere': lineal add \./nowhere"):
        _ = registry.resolve("./nowhere")


def test_a_label_can_be_typed(registry: Registry):
    ours, theirs = add_family(registry), add_family(registry, family="other")
    unnamed = registry.add_model(model("unnamed"))
    registry.set_name(Name("other", "only", theirs["q4"]))
    assert registry.label(unnamed) == f"b3:{unnamed.hex()[:8]}"
    assert registry.label(ours["base"]) == "demo:base"
    for model_hash in (*ours.values(), *theirs.values(), unnamed):
        assert registry.resolve(registry.label(model_hash)) == model_hash


@pytest.fixture
def both(registry: Registry) -> dict[str, bytes]:
    """The name demo:both with three versions of three models, and what it stands for by now."""
    hashes = {version: registry.add_model(model(version)) for version in ("1.0.0", "1.1.0", "1.2.0-rc.1", "now")}
    for version, model_hash in hashes.items():
        registry.set_name(Name("demo", "both", model_hash))
        if version != "now":
            _ = registry.add_version("both", SemanticVersion.parse(version), tags=("good", f"v{version[2]}"))
    for version in ("1.0.0", "1.1.0"):
        _ = promote(registry, f"both@{version}", Stage.STAGING)
    return hashes


@pytest.mark.parametrize(
    ("selector", "version"),
    [
        ("1.0.0", "1.0.0"),
        ("1.2.0-rc.1", "1.2.0-rc.1"),
        ("staging", "1.1.0"),
        ("development", "1.2.0-rc.1"),
        ("v0", "1.0.0"),
        ("v2", "1.2.0-rc.1"),
    ],
)
@pytest.mark.parametrize("name", ["both", "demo:both"])
def test_a_version_is_meant_by_its_number_stage_or_tag(
    registry: Registry, both: dict[str, bytes], name: str, selector: str, version: str
):
    assert registry.resolve(f"{name}@{selector}") == both[version]
    assert str(registry.version(f"{name}@{selector}")) == f"demo:both@{version}"
    assert registry.resolve(name) == both["now"]


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        (
            "both@1.3.0",
            "no version 1.3.0: it has 1.2.0-rc.1 (development, good, v2), 1.1.0 (staging, good, v1), 1.0.0 (staging",
        ),
        ("both@production", "demo:both has no version in production: it has 1.2.0-rc.1"),
        ("both@best", "demo:both has no version tagged 'best': it has 1.2.0-rc.1"),
        ("both@good", "'demo:both@good' can mean 3 versions: 1.2.0-rc.1, 1.1.0, 1.0.0"),
        ("both@1.0", "'1.0' is not a semantic version"),
        ("both@1.0.0@staging", "'1.0.0@staging' is not a semantic version"),
        ("both@", "'both@' means no version"),
        ("boht@1.0.0", "no model is called 'boht' (did you mean demo:both?)"),
        ("other:both@1.0.0", "no model is called 'other:both' (did you mean demo:both?)"),
        ("b3:12345678@1.0.0", "a hash is b3: and 8 to 64 hex digits"),
    ],
)
def test_a_version_that_is_not_there_is_answered_with_what_there_is(
    registry: Registry, both: dict[str, bytes], reference: str, complaint: str
):
    with pytest.raises(UsageError) as refused:
        _ = registry.resolve(reference)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_without_versions_says_how_to_get_one(registry: Registry):
    _ = add_family(registry)
    with pytest.raises(UsageError, match="demo:base has no version in staging: it has none, lineal tag gives it one"):
        _ = registry.resolve("base@staging")


def test_the_highest_in_a_stage_is_one_version_or_refused(registry: Registry):
    _ = add_family(registry)
    for version in ("1.0.0", "2.0.0+a", "2.0.0+b"):
        _ = registry.add_version("base", SemanticVersion.parse(version))
    assert str(registry.version("base@2.0.0+b").version) == "2.0.0+b"
    with pytest.raises(UsageError, match=r"'demo:base@development' can mean 2 versions: 2\.0\.0\+a, 2\.0\.0\+b"):
        _ = registry.resolve("base@development")


def test_a_version_of_a_name_that_two_families_have_is_asked_for_in_full(registry: Registry):
    ours, theirs = add_family(registry), add_family(registry, family="other")
    for name in ("demo:code", "other:code"):
        _ = registry.add_version(name, SemanticVersion(1, 0, 0))
    assert (registry.resolve("demo:code@1.0.0"), registry.resolve("other:code@1.0.0")) == (ours["code"], theirs["code"])
    with pytest.raises(UsageError, match="belongs to one name, 'code' may mean demo:code, other:code: say which"):
        _ = registry.resolve("code@1.0.0")


def test_a_path_with_an_at_is_a_path(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    _ = add_family(registry)
    _ = registry.add_version("base", SemanticVersion(1, 0, 0))
    local = registry.add_model(model("placed"), Path("base@1.0.0"))
    assert registry.resolve("./base@1.0.0") == local
    with pytest.raises(UsageError, match=r"no model is known to lie at 'demo/base@1\.0\.0'"):
        _ = registry.resolve("demo/base@1.0.0")
    with pytest.raises(UsageError, match=r"'\./base@1\.0\.0' means no version: NAME@VERSION is needed"):
        _ = registry.version("./base@1.0.0")


def test_a_name_itself_never_holds_an_at(registry: Registry):
    model_hash = registry.add_model(model("a"))
    with pytest.raises(UsageError, match="letters, digits"):
        registry.set_name(Name("demo", "a@1.0.0", model_hash))


def test_a_model_whose_name_has_moved_on_is_called_by_its_version(registry: Registry, both: dict[str, bytes]):
    for version in ("1.0.0", "1.1.0", "1.2.0-rc.1"):
        assert registry.label(both[version]) == f"demo:both@{version}"
        assert registry.resolve(registry.label(both[version])) == both[version]
    _ = registry.add_version("both@1.0.0", SemanticVersion(3, 0, 0))
    assert registry.label(both["1.0.0"]) == "demo:both@3.0.0"
    assert registry.label(both["now"]) == "both"
