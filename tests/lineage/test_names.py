"""Names: what they may be, and what they stand for."""

import pytest

from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage.records.records import Name
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.lineage.families import add_family, digest, model


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


def test_many_names_are_given_at_once_in_order_and_each_change_is_in_the_journal(registry: Registry):
    one, other = registry.add_model(model("a")), registry.add_model(model("b"))
    registry.set_name(Name("family", "known", one))
    many = [Name("family", f"model-{number}", (one, other)[number % 2]) for number in range(1500)]
    registry.set_names(
        [*many, Name("family", "known", one), Name("family", "known", other), Name("other", "known", one)]
    )
    assert registry.names("family") == (Name("family", "known", other), *many)
    assert registry.resolve("other:known") == one
    changes = [entry.change["name"] for entry in registry.journal()]
    assert len(changes) == 1 + 1500 + 2
    assert changes[:2] == ["other:known", "family:known"]
    assert check(registry).faults == ()


def test_of_many_names_none_is_given_when_one_cannot_be(registry: Registry):
    known = registry.add_model(model("a"))
    for refused in (Name("family", "b", digest("unknown")), Name("family", "..", known)):
        with pytest.raises(UsageError):
            registry.set_names([Name("family", "a", known), refused])
        assert registry.names() == registry.journal() == ()


def test_within_many_names_the_last_word_counts(registry: Registry):
    one, other = registry.add_model(model("a")), registry.add_model(model("b"))
    registry.set_names(Name("family", "a", meant) for meant in (one, other, other, one))
    assert registry.resolve("family:a") == one
    assert [entry.change["before"] for entry in registry.journal()] == [format_hash(other), format_hash(one), None]


def test_a_family_cannot_look_like_a_hash(registry: Registry):
    with pytest.raises(UsageError, match="that is how hashes begin"):
        registry.set_name(Name("b3", "deadbeef", registry.add_model(model("a"))))


def test_a_name_of_an_unknown_model_is_refused(registry: Registry):
    with pytest.raises(UsageError, match="knows no model"):
        registry.set_name(Name("demo", "ghost", digest("ghost")))


def test_a_model_has_several_names_and_is_called_by_its_first(registry: Registry):
    model_hash = registry.add_model(model("a"))
    for name in ("z", "a"):
        registry.set_name(Name("demo", name, model_hash))
    assert registry.names_of(model_hash) == (Name("demo", "z", model_hash), Name("demo", "a", model_hash))
    assert registry.label(model_hash) == "z"
