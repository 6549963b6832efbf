"""Evaluations: kept with everything they depend on, found again, replaced when measured again."""

import math
from dataclasses import replace

import pytest

from lineal.errors import UsageError
from lineal.lineage.records.records import Evaluation
from lineal.lineage.registry import Registry
from tests.lineage.families import digest, hash_of, model

A, B = hash_of("a"), hash_of("b")
SCORE = Evaluation(A, "code", digest("code"), {"context": 256, "stride": 128}, None, 35.5, 1.25, None, 1000, 4000)
DISTANCE = replace(SCORE, reference=B, perplexity=None, bits_per_byte=None, kl=0.125)


@pytest.fixture(autouse=True)
def _known(registry: Registry):
    registry.add_models([model("a"), model("b")])


def test_an_evaluation_comes_back_as_it_went_in(registry: Registry):
    registry.record_evaluation(SCORE)
    registry.record_evaluation(DISTANCE)
    assert registry.evaluations(A) == (SCORE, DISTANCE)
    assert registry.evaluations(B) == ()


def test_the_same_measurement_again_replaces_the_figures(registry: Registry):
    registry.record_evaluation(SCORE)
    registry.record_evaluation(DISTANCE)
    registry.record_evaluation(replace(SCORE, perplexity=30.0))
    assert registry.evaluations(A) == (replace(SCORE, perplexity=30.0), DISTANCE)


@pytest.mark.parametrize(
    "change", [{"text": "c"}, {"data_hash": digest("other")}, {"settings": {"context": 512}}, {"model": B}]
)
def test_another_text_setting_or_model_is_another_evaluation(registry: Registry, change: dict[str, object]):
    other = replace(SCORE, **change)  # pyright: ignore[reportArgumentType]
    registry.record_evaluation(SCORE)
    registry.record_evaluation(other)
    assert set(map(repr, registry.evaluations(A) + registry.evaluations(B))) == {repr(SCORE), repr(other)}


def test_an_evaluation_is_found_by_bytes_and_settings_whatever_the_text_was_called(registry: Registry):
    registry.record_evaluation(SCORE)
    registry.record_evaluation(DISTANCE)
    assert registry.find_evaluation(A, digest("code"), {"stride": 128, "context": 256}) == SCORE
    assert registry.find_evaluation(A, digest("code"), SCORE.settings, reference=B) == DISTANCE
    assert registry.find_evaluation(A, digest("code"), {"context": 256}) is None
    assert registry.find_evaluation(A, digest("prose"), SCORE.settings) is None
    assert registry.find_evaluation(B, digest("code"), SCORE.settings) is None


@pytest.mark.parametrize("figure", [math.nan, math.inf])
def test_a_figure_is_finite(figure: float):
    with pytest.raises(UsageError, match=r"evaluation on code: perplexity is (nan|inf), a figure must be finite"):
        _ = replace(SCORE, perplexity=figure)


def test_a_divergence_needs_its_reference():
    with pytest.raises(UsageError, match="a KL divergence and its reference model go together"):
        _ = replace(SCORE, kl=0.5)


def test_an_evaluation_of_an_unknown_model_is_refused(registry: Registry):
    with pytest.raises(UsageError, match="knows no model"):
        registry.record_evaluation(replace(SCORE, model=digest("ghost")))
