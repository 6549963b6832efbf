"""A combination of models: in float64, rounded once, without seams."""

import numpy as np
import pytest

from lineal.methods.merge.combination import combine

NO_BASE = np.empty(0, np.float32)


@pytest.mark.parametrize("count", [1, 2047, 2048, 2049, 5000])
def test_chunks_have_no_seams_and_nothing_beyond_the_span_is_written(count: int) -> None:
    generator = np.random.default_rng(count)
    base, models = generator.standard_normal(count, np.float32), generator.standard_normal((3, count), np.float32)
    shares = np.array([0.25, -1.5, 3.0])
    first, last = count // 3, count - count // 4
    for origin in (NO_BASE, base):
        start = origin.astype(np.float64) if origin.size else np.zeros(count)
        exact = start + np.sum(shares[:, None] * (models.astype(np.float64) - start), axis=0)
        out = np.full(count, np.nan, np.float32)
        combine(origin, models, shares, first, last, out)
        np.testing.assert_allclose(out[first:last], exact[first:last], rtol=2e-7, atol=1e-13)
        assert np.isnan(out[:first]).all()
        assert np.isnan(out[last:]).all()


def test_large_shares_that_cancel_lose_nothing() -> None:
    models = np.array([[1, 3], [1, 2]], np.float32)
    out = np.empty(2, np.float32)
    combine(NO_BASE, models, np.array([1e9, -1e9]), 0, 2, out)
    assert out.tolist() == [0, 1e9]
