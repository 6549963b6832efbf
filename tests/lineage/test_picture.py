"""The family tree as SVG: well-formed, self-contained, complete, and nothing runs through a card."""

import re
import time
from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.lineage.questions.graph import FamilyGraph, family_graph
from lineal.lineage.registry import Registry
from lineal.lineage.shown.picture import draw
from lineal.lineage.shown.picture.look import shortened, text_width
from lineal.lineage.shown.picture.places import CARD_WIDTH
from lineal.lineage.shown.picture.sheet import Sheet, sheet
from tests.lineage.families import EXAMPLE, Member, add_family, digest, step

SVG = "{http://www.w3.org/2000/svg}"


def drawn(registry: Registry, members: Sequence[Member] = EXAMPLE, family: str = "demo") -> ET.Element:
    return ET.fromstring(draw(family_graph(registry, list(add_family(registry, members, family).values()))))


def words(picture: ET.Element, css_class: str) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text") if text.get("class") == css_class]


def test_the_picture_names_every_model_what_made_it_and_how_big_it_is(registry: Registry):
    picture = drawn(registry)
    assert sorted(words(picture, "name")) == sorted(member.name for member in EXAMPLE)
    assert {"lora r=16", "ties density 0.2", "logits T=2", "wanda 50% sparse", "q4_k"} <= set(words(picture, "made"))
    assert "adapter \u00b7 65.5 k params \u00b7 131 kB" in words(picture, "size")


def test_the_lowest_perplexity_on_each_text_stands_out(registry: Registry):
    picture = drawn(registry)
    assert set(words(picture, "figure best")) == {"31.8", "80.1", "12.3"}, "and the legend's sample"
    assert {"35.0", "95.3", "84.5"} <= set(words(picture, "figure"))


def test_adapters_and_teachers_are_dashed(registry: Registry):
    edges = [path for path in drawn(registry).iter(f"{SVG}path") if path.get("class") == "edge"]
    dashes = sorted(edge.get("stroke-dasharray", "solid") for edge in edges)
    legend = ["1 5", "7 5", "solid"]
    assert dashes == sorted([*["1 5"] * 2, *["7 5"] * 2, *["solid"] * 6, *legend])


def test_the_legend_explains_what_the_picture_holds_and_nothing_else(registry: Registry):
    legend = words(drawn(registry, EXAMPLE[:1]), "text")
    assert "original" in legend
    assert not {"merge", "weights", "a teacher's answers"} & set(legend)


def test_the_picture_needs_nothing_from_elsewhere_and_runs_nothing(registry: Registry):
    text = draw(family_graph(registry, list(add_family(registry).values())))
    assert not re.search(r"<script|<image|<use|<foreignObject|href|url\(|@import|@font-face|on[a-z]+=", text)
    assert re.findall(r"https?://[^\"']*", text) == ["http://www.w3.org/2000/svg"]


def test_text_is_escaped_and_what_is_not_printable_is_escaped(registry: Registry):
    members = [Member("base", "original", '<b>&"\x01', perplexity={"x<y>&\x08": 2.0})]
    picture = drawn(registry, [*members, Member("next", "fine-tune", "<i>&\x1f", (("parent", "base"),))])
    assert words(picture, "made") == ["original", "<i>&\\x1f"]
    assert "x<y>&\\\u2026" in words(picture, "text")


def test_long_names_end_in_an_ellipsis_and_stand_whole_in_the_tooltip(registry: Registry):
    name = "a-name-that-is-much-longer-than-any-card-could-hold"
    picture = drawn(registry, [Member(name, "original", "hub")])
    (shown,) = words(picture, "name")
    assert shown.endswith("\u2026")
    assert name.startswith(shown[:-1])
    assert [name in (title.text or "") for title in picture.iter(f"{SVG}title")] == [True]


@given(st.text(max_size=60), st.floats(0, 300))
def test_shortened_text_fits_unless_there_is_no_room_at_all(text: str, width: float):
    short = shortened(text, 12.0, width)
    assert text_width(short, 12.0) <= width or short == "\u2026"
    assert short == text or short.endswith("\u2026")


def test_no_model_and_a_single_model_make_a_picture_too(registry: Registry):
    assert ET.fromstring(draw(FamilyGraph((), ()))).tag == f"{SVG}svg"
    assert words(drawn(registry, EXAMPLE[:1]), "name") == ["base"]


def test_an_unresolved_parent_is_drawn_as_such(registry: Registry):
    _ = registry.record(step(digest("child"), digest("ghost")))
    picture = ET.fromstring(draw(family_graph(registry, [digest("child")])))
    assert "unresolved" in words(picture, "kind")
    assert "never added here" in words(picture, "size")


@given(st.integers(1, 14), st.data())
@settings(max_examples=80)
def test_cards_keep_apart_and_edges_run_through_no_card(cards: int, data: st.DataObject):
    pairs = [(parent, child) for child in range(cards) for parent in range(child)]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20)) if pairs else []
    heights = [data.draw(st.sampled_from([82.0, 118.0, 158.0])) for _ in range(cards)]
    laid_out = sheet(heights, edges)
    for one, (left, top) in enumerate(laid_out.cards):
        assert 0 < left < laid_out.width - CARD_WIDTH
        assert 0 < top <= laid_out.height - heights[one] + 0.1
        for other_left, other_top in laid_out.cards[one + 1 :]:
            assert abs(left - other_left) >= CARD_WIDTH or other_top != top
    for (parent, child), points in zip(edges, laid_out.edges, strict=True):
        assert points[0][1] == laid_out.cards[parent][1] + heights[parent]
        assert points[-1][1] == laid_out.cards[child][1]
        check_free(laid_out, heights, points)


def check_free(laid_out: Sheet, heights: Sequence[float], points: Sequence[tuple[float, float]]) -> None:
    """Between rows an edge may run anywhere; within a row it is upright and beside every card."""
    for (x, y), (next_x, next_y) in pairwise(points):
        assert next_y >= y
        for (left, top), height in zip(laid_out.cards, heights, strict=True):
            inside = y < top + height and next_y > top
            assert not inside or (x == next_x and not left < x < left + CARD_WIDTH)


@pytest.mark.parametrize("length", [600])
def test_a_long_chain_and_a_wide_family_are_drawn_without_recursion_and_soon(registry: Registry, length: int):
    chain = [step(digest(f"c{i + 1}"), digest(f"c{i}")) for i in range(length)]
    shortcuts = [step(digest(f"c{i}"), digest("c0"), digest(f"c{i - 1}")) for i in range(10, length, 10)]
    fan = [step(digest(f"f{i}"), digest("c0"), rank=i) for i in range(length)]
    _ = registry.record_all([*chain, *shortcuts, *fan])
    asked = [digest(f"c{length}"), *(digest(f"f{i}") for i in range(length))]
    graph = family_graph(registry, asked, every_step=True)
    began = time.perf_counter()
    picture = ET.fromstring(draw(graph))
    assert time.perf_counter() - began < 10
    assert len(words(picture, "name")) == 2 * length + 1


def test_a_card_grows_with_the_texts_it_shows_and_equal_figures_do_not_stand_out(registry: Registry):
    scores = {f"t{i}": 2.0 + i for i in range(9)}
    members = [Member(name, "original", "hub", options={"id": name}, perplexity=scores) for name in ("a", "b")]
    picture = drawn(registry, members)
    assert [text for text in words(picture, "text") if text.startswith("t")] == [*scores, *scores]
    assert words(picture, "figure best") == ["12.3"], "only the legend's sample"
