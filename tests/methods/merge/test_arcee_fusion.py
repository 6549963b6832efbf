"""Arcee Fusion by hand-computed cases: which changes stand out."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.arcee_fusion import ArceeFusion
from tests.builders import Array, same_bits


def fused(model: Array, base: Array) -> Array:
    return ArceeFusion()([np.asarray(model, np.float32)], base=np.asarray(base, np.float32))


def importances(changes: list[float]) -> Array:
    """Rows of two: a change and its opposite make the row diverge, and both are as important."""
    return np.array([[change, -change] for change in changes])


def test_a_change_that_stands_out_is_taken_and_the_others_are_left() -> None:
    model = importances([1, 1, 1, 1, 1, 1, 1, 9])
    assert fused(model, 0 * model)[:, 0].tolist() == [1, 1, 1, 1, 1, 1, 1, 9]  # no spread: from the median on
    model = importances([1, 1.5, 1.75, 2, 2.25, 2.5, 3, 9])
    assert fused(model, 0 * model)[:, 0].tolist() == [0, 0, 0, 0, 0, 0, 0, 9]


def test_a_lone_change_among_none_is_taken() -> None:
    base = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    model = base.copy()
    model[2, 1] += 1
    assert same_bits(fused(model, base), model)


def test_a_change_counts_by_the_divergence_of_its_row() -> None:
    """The same change twice: in a row whose softmax it moves, and in one where another entry has all the mass."""
    base = np.zeros((8, 4))
    base[1, 0] = 50
    model = base.copy()
    model[0, 1], model[1, 1] = 1, 1
    model[2:] += np.linspace(0.01, 0.02, 24).reshape(6, 4) * [1, -1, 1, -1]
    assert fused(model, base)[:2, 1].tolist() == [1, 0]


@pytest.mark.parametrize("rows", [*range(1, 14), 40])
def test_quartiles_are_entries_of_the_tensor_rounded_down(rows: int) -> None:
    """Changes of c and c + 4: all rows diverge alike, so that the importances are multiples of the changes."""
    lower = np.sqrt(np.random.default_rng(rows).permutation(rows) + 1.0)
    model = np.stack([lower, lower + 4], axis=1).astype(np.float32)
    ordered = np.sort(model, axis=None)
    first, median, third = (ordered[quarter * (2 * rows - 1) // 4] for quarter in (1, 2, 3))
    expected = np.where(model >= median + 1.5 * (third - first), model, 0)
    assert np.array_equal(fused(model, 0 * model), expected)


def test_a_tensor_of_one_dimension_is_one_row() -> None:
    generator = np.random.default_rng(1)
    model = np.concatenate([0.1 * generator.standard_normal(100), generator.standard_normal(100)])
    base = 0 * model
    assert same_bits(fused(model, base), fused(model[None], base[None])[0])
    in_two = fused(model.reshape(2, 100), base.reshape(2, 100)).reshape(-1)
    assert np.count_nonzero(fused(model, base)) != np.count_nonzero(in_two)


def test_what_is_taken_is_the_model_s_to_the_bit_and_the_rest_the_base_s() -> None:
    generator = np.random.default_rng(1)
    base = generator.standard_normal((300, 70)).astype(np.float32)
    model = (base + 0.01 * generator.standard_normal(base.shape)).astype(np.float32)
    found = fused(model, base)
    taken = found == model
    assert 0.02 < taken.mean() < 0.15
    assert same_bits(found, np.where(taken, model, base))


def test_without_numbers_nothing_is_taken() -> None:
    base, model = np.zeros((1, 4), np.float32), np.array([[1, np.nan, 2, 3]], np.float32)
    assert same_bits(fused(model, base), base)


@pytest.mark.parametrize("count", [2, 3])
def test_exactly_one_model_is_needed(count: int) -> None:
    with pytest.raises(MethodError, match=f"arcee_fusion: exactly one model is needed beside the base, got {count}"):
        ArceeFusion().check(count, has_base=True)
