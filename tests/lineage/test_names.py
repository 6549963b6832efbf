"""Names: what they may be, what they stand for, and how a reference is resolved."""

import pytest

from lineal.errors import UsageError
from lineal.lineage.records import Name
from lineal.lineage.registry import Registry
from tests.lineage.families import add_family, digest, model, step


def test_a_name_stands_for_the_model_it_was_set_to_last(registry: Registry):
    first, second = registry.add_model(model("a")), registry.add_model(model("b"))
    registry.set_name(Name("demo", "best", first))
    assert registry.resolve("demo:best") == first
    registry.set_name(Name("demo", "best", second))
    assert registry.resolve("demo:best") == second
    assert registry.names() == (Name("demo", "best", second),)


def test_names_are_listed_in_the_order_in_which_they_were_given(registry: Registry):
    hashes = add_family(registry)
    _ = add_family(registry, family="other")
    assert [name.name for name in registry.names("demo")] == list(hashes)
    assert {str(name) for name in registry.names()} >= {"demo:base", "other:base"}
    assert registry.names("nobody") == ()


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "a..b", ".hidden", "-x", "a b", "a:b", "tab\t", "nul\0", "newline\n", "caf\u00e9", "a\\b"]
)
def test_a_name_that_is_no_name_is_refused(registry: Registry, name: str):
    model_hash = registry.add_model(model("a"))
    for wrong in (Name("demo", name, model_hash), Name(name, "x", model_hash)):
        with pytest.raises(UsageError, match=r"letters, digits, '\.', '_' and '-' are allowed"):
            registry.set_name(wrong)
    assert registry.names() == ()


def test_a_family_cannot_look_like_a_hash(registry: Registry):
    with pytest.raises(UsageError, match="that is how hashes begin"):
        registry.set_name(Name("b3", "deadbeef", registry.add_model(model("a"))))


def test_a_name_of_an_unknown_model_is_refused(registry: Registry):
    with pytest.raises(UsageError, match="knows no model"):
        registry.set_name(Name("demo", "ghost", digest("ghost")))


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


def test_a_model_has_several_names_and_is_called_by_its_first(registry: Registry):
    model_hash = registry.add_model(model("a"))
    for name in ("z", "a"):
        registry.set_name(Name("demo", name, model_hash))
    assert registry.names_of(model_hash) == (Name("demo", "z", model_hash), Name("demo", "a", model_hash))
    assert registry.label(model_hash) == "z"
