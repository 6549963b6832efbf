"""Bisection of a graph: the first bad model, in few trials."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.errors import UsageError
from lineal.lineage.questions.bisection import Bisection, Parents, suspects_between
from lineal.lineage.registry import Registry
from tests.lineage.families import add_family, digest, step


def key(number: int) -> bytes:
    return number.to_bytes(4, "big")


def spoilt(parents: Parents, culprit: bytes) -> set[bytes]:
    """The culprit and all that was made from it."""
    bad = {culprit}
    while more := {child for child, above in parents.items() if child not in bad and bad & set(above)}:
        bad |= more
    return bad


def run(parents: Parents, bad: bytes, really_bad: set[bytes]) -> tuple[Bisection, int]:
    search, tried = Bisection(parents, bad), 0
    while (model := search.next()) is not None:
        search.tell(model, is_bad=model in really_bad)
        tried += 1
    return search, tried


@pytest.mark.parametrize("length", [1, 2, 3, 10, 100, 1000])
def test_a_chain_takes_a_logarithm_of_trials(length: int) -> None:
    chain = {key(i): [key(i - 1)] if i else [] for i in range(length)}
    for culprit in {0, length // 3, length - 1}:
        search, tried = run(chain, key(length - 1), spoilt(chain, key(culprit)))
        assert search.suspects == {key(culprit)}
        assert search.bad == key(culprit)
        assert tried <= math.ceil(math.log2(length)) + 1 if length > 1 else tried == 0


@given(st.data())
def test_in_any_graph_the_culprit_is_found(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 14))
    parents = {
        key(i): [key(j) for j in sorted(data.draw(st.sets(st.integers(0, i - 1), max_size=3)))] if i else []
        for i in range(size)
    }
    top = key(size - 1)
    above = Bisection(parents, top)._goes_back_to(top)
    graph = {model: [parent for parent in parents[model] if parent in above] for model in above}
    culprit = data.draw(st.sampled_from(sorted(above)))
    search, _ = run(graph, top, spoilt(graph, culprit))
    assert (search.suspects, search.bad) == ({culprit}, culprit)


def test_what_cannot_be_tried_stays_under_suspicion() -> None:
    chain = {key(i): [key(i - 1)] if i else [] for i in range(4)}
    search = Bisection(chain, key(3))
    really_bad = spoilt(chain, key(2))
    while (model := search.next()) is not None:
        if model == key(2):
            search.skip(model)
        else:
            search.tell(model, is_bad=model in really_bad)
    assert search.suspects == {key(2), key(3)}
    assert search.bad == key(3)


def test_suspects_are_what_the_bad_one_goes_back_to_and_the_good_one_does_not(registry: Registry) -> None:
    hashes = add_family(registry)
    between = suspects_between(registry, hashes["base"], hashes["lean"])
    assert set(between) == {hashes[name] for name in ("code", "prose", "both", "lean")}
    assert set(between[hashes["both"]]) == {hashes["code"], hashes["prose"]}
    assert set(suspects_between(registry, hashes["code"], hashes["lean"])) == {
        hashes[name] for name in ("prose", "both", "lean")
    }
    with pytest.raises(UsageError, match="nothing lies between them"):
        suspects_between(registry, hashes["lean"], hashes["base"])
    _ = registry.record(step(digest("child"), digest("gone")))
    assert set(suspects_between(registry, hashes["base"], digest("child"))) == {digest("child"), digest("gone")}
