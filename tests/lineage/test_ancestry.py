"""Graph questions, against a plain graph in memory and on shapes that break careless answers."""

import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import UsageError
from lineal.lineage.questions import ancestry
from lineal.lineage.records.records import StepRecord
from lineal.lineage.registry import Registry
from tests.databases import Database
from tests.lineage.families import add_family, digest, step

Plain = dict[int, list[int]]


@st.composite
def families(draw: st.DrawFn) -> list[tuple[int, tuple[int, ...]]]:
    """Steps (child, parents) over up to nine models, in any order, children above their parents in number."""
    children = draw(st.permutations(range(1, draw(st.integers(2, 9)))))
    ways = [child for child in children for _ in range(draw(st.integers(0, 2)))]
    return [(child, tuple(draw(st.lists(st.integers(0, child - 1), min_size=1, max_size=3)))) for child in ways]


def node(number: int) -> bytes:
    return digest(str(number))


def plain_parents(made: Sequence[tuple[int, tuple[int, ...]]]) -> Plain:
    parents: Plain = {number: [] for child, above in made for number in (child, *above)}
    for child, above in made:
        parents[child] += [parent for parent in dict.fromkeys(above) if parent not in parents[child]]
    return parents


def plain_reach(links: Plain, start: int) -> set[int]:
    reached: set[int] = set()
    waiting = list(links[start])
    while waiting:
        if (number := waiting.pop()) not in reached:
            reached.add(number)
            waiting += links[number]
    return reached


def plain_depth(parents: Plain, number: int) -> int:
    return max((plain_depth(parents, parent) + 1 for parent in parents[number]), default=0)


@given(families())
@settings(max_examples=40)
def test_every_answer_is_that_of_a_plain_graph(database: Database, made: list[tuple[int, tuple[int, ...]]]):
    parents = plain_parents(made)
    children: Plain = {number: [c for c, above in parents.items() if number in above] for number in parents}
    with (
        tempfile.TemporaryDirectory() as folder,
        database.migrated(Path(folder)) as place,
        Registry.open(place) as registry,
    ):
        _ = registry.record_all(step(node(c), *map(node, p), order=i) for i, (c, p) in enumerate(made))
        for number in parents:
            model, above, below = node(number), plain_reach(parents, number), plain_reach(children, number)
            assert ancestry.parents(registry, model) == tuple(map(node, parents[number]))
            assert set(ancestry.children(registry, model)) == set(map(node, children[number]))
            assert sorted(ancestry.ancestors(registry, model)) == sorted(map(node, above))
            assert sorted(ancestry.descendants(registry, model)) == sorted(map(node, below))
            line, issue = above | {number}, below | {number}
            assert set(ancestry.roots(registry, model)) == {node(n) for n in line if not parents[n]}
            assert set(ancestry.leaves(registry, model)) == {node(n) for n in issue if not children[n]}
            assert ancestry.depth(registry, model) == plain_depth(parents, number)
            check_order(ancestry.topological_order(registry, model), parents, line)
            for other in parents:
                shared = line & (plain_reach(parents, other) | {other})
                assert set(ancestry.common_ancestors(registry, model, node(other))) == set(map(node, shared))
                check_path(ancestry.path(registry, node(other), model), parents, children, other, number)
        assert set(ancestry.roots(registry)) == {node(n) for n in parents if not parents[n]}
        assert set(ancestry.leaves(registry)) == {node(n) for n in parents if not children[n]}
        check_order(ancestry.topological_order(registry), parents, set(parents))


def check_order(order: Sequence[bytes], parents: Plain, members: set[int]) -> None:
    place = {model: index for index, model in enumerate(order)}
    assert len(place) == len(order)
    assert set(place) == set(map(node, members))
    assert all(place[node(parent)] < place[node(child)] for child in members for parent in parents[child])


def check_path(path: Sequence[bytes], parents: Plain, children: Plain, ancestor: int, number: int) -> None:
    if ancestor != number and ancestor not in plain_reach(parents, number):
        assert path == ()
        return
    level, length = {ancestor}, 0
    while number not in level:
        level, length = {c for n in level for c in children[n]}, length + 1
    assert (path[0], path[-1], len(path)) == (node(ancestor), node(number), length + 1)
    edges = {(node(parent), node(child)) for child, above in parents.items() for parent in above}
    assert all(edge in edges for edge in pairwise(path))


def test_edges_follow_every_role(registry: Registry):
    hashes = add_family(registry)
    assert ancestry.parents(registry, hashes["small"]) == (hashes["code"], hashes["prose"], hashes["base"])
    assert ancestry.parents(registry, hashes["both"]) == (hashes["base"], hashes["code"], hashes["prose"])
    assert ancestry.children(registry, hashes["code"]) == (hashes["both"], hashes["small"])


def test_parents_keep_their_order_and_the_first_step_comes_first(registry: Registry):
    a, b, c, child = map(node, range(4))
    _ = registry.record_all([step(child, c, a), step(child, b, a, c)])
    assert ancestry.parents(registry, child) == (c, a, b)


def test_the_nearest_come_first(registry: Registry):
    _ = registry.record_all(step(node(i + 1), node(i)) for i in range(5))
    assert ancestry.ancestors(registry, node(5)) == tuple(node(i) for i in (4, 3, 2, 1, 0))
    assert ancestry.descendants(registry, node(0)) == tuple(node(i) for i in (1, 2, 3, 4, 5))


def test_descendants_are_counted_once_however_many_ways_lead_to_them(registry: Registry):
    hashes = add_family(registry)
    for name in ("base", "code", "q4"):
        assert ancestry.count_descendants(registry, hashes[name]) == len(ancestry.descendants(registry, hashes[name]))
    assert ancestry.count_descendants(registry, hashes["q4"]) == 0


def test_pages_of_descendants_make_up_the_whole(registry: Registry):
    _ = registry.record_all(step(node(i), node((i - 1) // 3)) for i in range(1, 100))
    pages = [ancestry.descendants(registry, node(0), limit=7, offset=start) for start in range(0, 105, 7)]
    assert [model for page in pages for model in page] == list(ancestry.descendants(registry, node(0)))
    assert [len(page) for page in pages] == [7] * 14 + [1]


def test_common_ancestors_count_a_model_as_its_own_nearest_first(registry: Registry):
    hashes = add_family(registry)
    assert ancestry.common_ancestors(registry, hashes["lean"], hashes["q4"])[0] == hashes["both"]
    assert ancestry.common_ancestors(registry, hashes["base"], hashes["q4"]) == (hashes["base"],)
    assert set(ancestry.common_ancestors(registry, hashes["code"], hashes["prose"])) == {hashes["base"]}


def test_an_unresolved_parent_is_an_ancestor_like_any_other(registry: Registry):
    _ = registry.record(step(node(1), node(0)))
    assert registry.model(node(0)).is_unresolved
    assert ancestry.ancestors(registry, node(1)) == ancestry.roots(registry) == (node(0),)


def test_a_question_about_an_unknown_model_is_refused(registry: Registry):
    questions = (ancestry.ancestors, ancestry.descendants, ancestry.parents, ancestry.children, ancestry.depth)
    for question in (*questions, ancestry.roots, ancestry.leaves, ancestry.topological_order):
        with pytest.raises(UsageError, match="knows no model"):
            _ = question(registry, node(0))


def test_a_chain_of_5000_models_is_answered_without_recursion(registry: Registry):
    length = 5000
    _ = registry.record_all(chain(length))
    first, last = node(0), node(length)
    assert len(ancestry.ancestors(registry, last)) == length
    assert len(ancestry.descendants(registry, first)) == length
    assert ancestry.depth(registry, last) == length
    assert ancestry.topological_order(registry, last) == tuple(map(node, range(length + 1)))
    assert len(ancestry.path(registry, first, last)) == 3


def chain(length: int) -> list[StepRecord]:
    """Each model from the one before; the last from the first and the middle as well, so that short ways exist."""
    steps = [step(node(i + 1), node(i)) for i in range(length)]
    return [*steps, step(node(length), node(length // 2)), step(node(length // 2), node(0), method="skip")]


def test_22_stacked_diamonds_are_answered_at_once(registry: Registry):
    levels = 22
    for level in range(levels):
        top, left, right, bottom = (node(3 * level + i) for i in range(4))
        steps = [step(left, top, side=0), step(right, top, side=1), step(bottom, left, right)]
        _ = registry.record_all(steps)
    began = time.perf_counter()
    assert len(ancestry.ancestors(registry, node(3 * levels))) == 3 * levels
    assert len(ancestry.descendants(registry, node(0))) == 3 * levels
    assert ancestry.depth(registry, node(3 * levels)) == 2 * levels
    assert len(ancestry.path(registry, node(0), node(3 * levels))) == 2 * levels + 1
    assert time.perf_counter() - began < 2  # without deduplication it is minutes
