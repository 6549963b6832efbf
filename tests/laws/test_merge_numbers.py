"""Merges against the papers in float64: bitwise in bf16, to the last places in float32, on tensors of any shape."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.builders import Array
from tests.engines.merges import SHAPES, distance_in_ulps, merge, similar_models
from tests.examples import MERGES, Example

BF16 = ml_dtypes.bfloat16

every_merge = pytest.mark.parametrize("example", MERGES, ids=lambda example: example.id)


def magnitude(example: Example, models: list[Array], base: Array | None) -> Array:
    """What intermediate results may be as large as: units in the last place are counted there."""
    options: dict[str, Any] = example.method.options()
    factor = max([1.0, abs(options.get("lambda", 1.0)), *map(abs, options.get("weights") or [])])
    factor /= least_probability(options) if options.get("rescale") else 1
    return factor * sum((np.abs(values) for values in (models if base is None else [*models, base])), np.zeros(()))


def least_probability(options: dict[str, Any]) -> float:
    """Of keeping an entry, among those of all models."""
    return float(np.min(np.subtract(options["density"], options.get("epsilon", 0.0))))


@every_merge
def test_in_float32_a_merge_is_the_paper_s_to_a_few_last_places(tmp_path: Path, example: Example) -> None:
    base, models = similar_models(example.models, np.float32)
    merged = merge(tmp_path, example.method, models, base if example.has_base else None)
    for name in SHAPES:
        parents, origin = [model[name] for model in models], base[name] if example.has_base else None
        expected = example.reference(parents, origin, name)
        assert distance_in_ulps(merged[name], expected, magnitude(example, parents, origin)) <= 3


@every_merge
def test_in_bf16_a_merge_is_the_paper_s_rounded_once(tmp_path: Path, example: Example) -> None:
    """Bits may differ only where the exact result is as good as half-way between two neighbours."""
    base, models = similar_models(example.models, BF16)
    merged = merge(tmp_path, example.method, models, base if example.has_base else None)
    differing = total = 0
    for name in SHAPES:
        parents = [model[name].astype(np.float32) for model in models]
        origin = base[name].astype(np.float32) if example.has_base else None
        exact = example.reference(parents, origin, name)
        found, rounded = merged[name].astype(np.float64), exact.astype(np.float32).astype(BF16).astype(np.float64)
        where = found != rounded
        half_way = (found[where] + rounded[where]) / 2
        scale = np.broadcast_to(magnitude(example, parents, origin), exact.shape)[where]
        assert distance_in_ulps(half_way, exact[where], scale) <= 2
        differing, total = differing + int(where.sum()), total + where.size
    assert differing <= total / 100


SIXTEENTHS = st.integers(-64, 64).map(lambda n: n / 16)
"""Numbers whose sums and differences are exact in float32, so that no threshold and no sign hangs on a rounding."""


@st.composite
def any_tensors(draw: st.DrawFn, count: int) -> list[Array]:
    """Tensors of one shape: empty, without dimensions, of one element, constant or varied."""
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))
    fill = draw(st.sampled_from([st.nothing(), SIXTEENTHS]))
    return [draw(arrays.arrays(np.float32, shape, elements=SIXTEENTHS, fill=fill)) for _ in range(count)]


@every_merge
@settings(max_examples=40)
@given(st.data())
def test_on_tensors_of_any_shape_a_merge_is_the_paper_s(example: Example, data: st.DataObject) -> None:
    base, *models = data.draw(any_tensors(example.models + 1))
    origin = base if example.has_base else None
    found = example.method(models, base=origin, name="w")
    expected = example.reference(models, origin, "w")
    assert (found.shape, found.dtype) == (base.shape, np.float32)
    scale = np.maximum(magnitude(example, models, origin), np.maximum(np.abs(expected), 1.0))
    assert distance_in_ulps(found, expected, scale) <= 4


EXTREME = st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1e-40, 1.1754944e-38, 1e-20, 1.0, -3.0, 1e15, -1e15, 3e37, -3e37])


@every_merge
@settings(max_examples=40)
@given(st.data())
def test_huge_and_denormal_values_neither_overflow_nor_vanish(example: Example, data: st.DataObject) -> None:
    shape = data.draw(st.integers(1, 9))
    values = arrays.arrays(np.float32, shape, elements=EXTREME, fill=st.nothing())
    base = np.zeros(shape, np.float32)  # so that no magnitude that is compared is a rounded difference
    models = [data.draw(values)] * example.models  # equal models, so that no sign hangs on a rounding
    origin = base if example.has_base else None
    found = example.method(models, base=origin, name="w")
    expected = example.reference(models, origin, "w")
    assert np.isfinite(found).all()
    assert distance_in_ulps(found, expected, magnitude(example, models, origin)) <= 4
