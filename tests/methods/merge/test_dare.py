"""DARE by hand-computed cases: what is kept, what it is divided by, how the vectors are put together."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.dare import DareLinear, DareTies
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.randomness import uniforms
from tests.builders import same_bits

ONES, NOTHING = np.ones(1000, np.float32), np.zeros(1000, np.float32)


@pytest.mark.parametrize("method", [DareLinear, DareTies])
def test_an_entry_stays_where_its_uniform_number_is_below_its_model_s_density(
    method: type[DareLinear | DareTies],
) -> None:
    found = method(density=(0.25, 0.5), seed=9)([ONES, ONES * 2], base=NOTHING, name="layers.3.weight")
    masks = [uniforms(9, "layers.3.weight", m, 0, 1000) < share for m, share in enumerate((0.25, 0.5))]
    assert np.array_equal(found, 4 * (masks[0] * 1.0) + 2 * (masks[1] * 2.0))


def test_linear_adds_opposite_entries_and_ties_takes_the_greater() -> None:
    models = [ONES * 3, ONES * -1]
    options = {"density": 0.5, "rescale": False}
    kept = [uniforms(42, "weight", m, 0, 1000) < 0.5 for m in range(2)]
    added = DareLinear.from_options(options)(models, base=NOTHING)
    elected = DareTies.from_options(options)(models, base=NOTHING)
    assert np.array_equal(added, kept[0] * 3.0 - kept[1] * 1.0)
    assert np.array_equal(elected, np.where(kept[0], 3.0, kept[1] * -1.0))


def test_dropping_nothing_is_task_arithmetic_bit_for_bit() -> None:
    generator = np.random.default_rng(1)
    base, *models = generator.standard_normal((4, 333)).astype(np.float32)
    for options in ({}, {"normalize": True}, {"lambda_": 0.3, "weights": (0.5, -0.2, 0.9)}):
        found = DareLinear(density=1.0, **options)(models, base=base)
        assert same_bits(found, TaskArithmetic(**options)(models, base=base))


def test_weights_that_cannot_be_normalized_are_refused() -> None:
    with pytest.raises(MethodError, match="dare_linear: the weights sum to 0, which cannot be normalized"):
        DareLinear(weights=(1, -1), normalize=True).check(2, has_base=True)
    DareTies(weights=(1, -1), normalize=True).check(2, has_base=True)  # entry by entry, of those that agree
