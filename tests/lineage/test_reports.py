"""What a quantization cost is kept with its step, told in a few words, and drawn."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from lineal.checkpoint.content.identity import Leaf, manifest_of
from lineal.lineage.questions.portrait import portrait
from lineal.lineage.records.quantization_report import QuantizationReport, report_of, roundings_of
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.records.rounding import Rounding
from lineal.lineage.registry import Registry
from lineal.lineage.shown.as_json import portrait_as_json
from lineal.lineage.shown.picture import is_drawn
from lineal.lineage.shown.report_words import closeness, headline, taken, worst
from lineal.lineage.shown.rounding_picture import draw_rounding, is_rounding
from lineal.lineage.soundness.check import check
from lineal.lineage.tables import reports
from tests.lineage.families import digest, step

LEAVES = [
    *(Leaf(f"blk.{i}.up.weight", "Q4_0", (64, 32), 64 * 18, digest(f"{i}")) for i in range(12)),
    Leaf("norm.weight", "F32", (8,), 32, digest("norm")),
    Leaf("out<put>.weight", "Q8_0", (32, 32), 32 * 34, digest("output")),
]
COST = {
    **{f"blk.{i}.up.weight": Rounding(100.0, 1.0 + i, 0.25, outliers=1) for i in range(12)},
    "norm.weight": Rounding(8.0),
    "out<put>.weight": Rounding(100.0, 0.01, 0.5, shifted_blocks=3),
}
CHILD = ModelRecord(manifest_of(LEAVES, {}), "gguf")


@pytest.fixture
def report() -> QuantizationReport:
    return report_of(LEAVES, COST)


def kept(registry: Registry, model: bytes) -> QuantizationReport | None:
    with registry.reading() as connection:
        return reports.of_model(connection, model)


def recorded(registry: Registry) -> bytes:
    child = registry.add_model(CHILD)
    registry.record(replace(step(child, digest("parent")), rounding=COST))
    return child


def test_a_report_comes_back_with_the_model_it_is_of(registry: Registry, report: QuantizationReport) -> None:
    child = recorded(registry)
    assert kept(registry, child) == report
    assert portrait(registry, child).quantization == report
    assert portrait_as_json(portrait(registry, child))["quantization"] == report.to_json()
    assert kept(registry, digest("parent")) is None
    assert check(registry).faults == ()


def test_a_step_that_was_known_without_one_gets_its_report(registry: Registry, report: QuantizationReport) -> None:
    known = step(registry.add_model(CHILD), digest("parent"))
    registry.record(known)
    assert kept(registry, known.child) is None
    registry.record(replace(known, rounding={**COST, "norm.weight": Rounding(9.0)}))
    assert kept(registry, known.child) != report
    registry.record(replace(known, rounding=COST))
    assert kept(registry, known.child) == report


def test_totals_are_those_of_all_tensors_and_blocks_are_in_their_order(report: QuantizationReport) -> None:
    assert [name for name, _ in report.tensors] == [
        *(f"blk.{i}.up.weight" for i in range(12)),
        "norm.weight",
        "out<put>.weight",
    ]
    assert report.total.weights == 12 * 2048 + 8 + 1024
    assert report.total.stored_bytes == 12 * 64 * 18 + 32 + 32 * 34
    assert report.total.bits_per_weight == 8 * report.total.stored_bytes / report.total.weights
    assert report.total.rounding == Rounding(1308.0, sum(range(1, 13)) + 0.01, 0.5, 12, 3)
    assert report.rounded.rounding == replace(report.total.rounding, squares=1300.0)
    assert report.rounded.weights == report.total.weights - 8
    assert report.total.mean_squared_error == report.total.rounding.squared_error / report.total.weights


def test_a_report_is_read_back_from_its_json(report: QuantizationReport) -> None:
    assert report_of(LEAVES, roundings_of(report.to_json())) == report


@pytest.mark.parametrize(
    "cost",
    [{"other": Rounding()}, {"norm.weight": Rounding(outliers=9)}],
    ids=["a tensor it does not have", "more than all"],
)
def test_a_report_that_is_not_of_these_tensors_is_refused(cost: dict[str, Rounding]) -> None:
    with pytest.raises(ValueError, match=r"does not have|counts more than its 8 weights"):
        report_of(LEAVES, cost)


@pytest.mark.parametrize("figures", [[-1.0], [float("nan")], [True], ["1"], [1.0, 1.0, 1.0, 1.5], [10**400]])
def test_figures_are_numbers_that_can_be(figures: list[float]) -> None:
    with pytest.raises(ValueError, match="is needed"):
        Rounding(*figures)  # pyright: ignore[reportArgumentType]


def test_it_is_said_what_is_taken_what_it_cost_and_where_most(report: QuantizationReport) -> None:
    assert headline(report) == "4.669 bits a weight, 14.9 kB, SQNR 12.22 dB, largest error 0.5, 12 outliers"
    assert taken(report.total, 29_888).endswith(", 0.5 of its parent")
    assert [one.name for one in worst(report)] == ["blk.11.up.weight", "blk.10.up.weight", "blk.9.up.weight"]
    assert closeness(report.tensors["norm.weight", "F32"]) == "every weight exact"
    (warning,) = report.warnings
    assert warning.startswith("3 blocks in 1 tensors have values too small for their scale")


def test_the_picture_has_a_dot_for_every_tensor_that_is_not_exact(report: QuantizationReport) -> None:
    drawn = draw_rounding(report, "both<q4>")
    assert is_rounding(drawn)
    assert not is_drawn(drawn)
    picture = ET.fromstring(drawn)
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(set(titles)) == len(LEAVES) - 1
    assert "blk.3.up.weight: Q4_0, 13.98 dB" in titles
    words = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"both<q4>", "SQNR (dB)", "block", "up", "out<put>", "Q4_0 (12)", "Q8_0 (1)"} <= set(words)
    assert "1 tensors are stored exactly" in words
    assert not re.search(r"<script|<image|<use|<foreignObject|href|url\(|@import|@font-face|on[a-z]+=", drawn)
    for circle in picture.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 < float(circle.get("cx", "")) < 980
        assert 0 < float(circle.get("cy", "")) < 520


def test_a_model_that_is_exact_can_be_drawn() -> None:
    exact = {leaf.name: Rounding(1.0) for leaf in LEAVES}
    ET.fromstring(draw_rounding(report_of(LEAVES, exact), "f32"))
