"""DELLA by hand-computed cases: ranks within a row, probabilities by rank, and what is kept divided by them."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.dare import DareLinear, DareTies
from lineal.methods.merge.della import Della, DellaLinear
from lineal.methods.streaming import Site
from lineal.randomness import uniforms
from tests.builders import Array, same_bits

COLUMNS = 11


def rows(count: int, seed: int = 1) -> Array:
    """Rows of the magnitudes 1 to 11, shuffled and with random signs."""
    generator = np.random.default_rng(seed)
    values = np.stack([generator.permutation(COLUMNS) + 1 for _ in range(count)])
    return (values * generator.choice([-1, 1], values.shape)).astype(np.float32)


def kept_by_rank(model: Array, kept: Array) -> list[float]:
    return [float(kept[np.abs(model) == magnitude].mean()) for magnitude in range(1, COLUMNS + 1)]


def test_the_probability_of_keeping_an_entry_rises_evenly_with_its_rank_in_the_row() -> None:
    model = rows(20_000)
    found = DellaLinear(density=0.5, epsilon=0.4)([model], base=np.zeros_like(model))
    assert np.allclose(kept_by_rank(model, found != 0), np.linspace(0.1, 0.9, COLUMNS), atol=0.015)


def test_an_entry_stays_where_its_uniform_number_is_below_its_probability_and_is_divided_by_it() -> None:
    model = rows(50)
    probability = 0.3 + 0.2 * (np.abs(model) - 1) / (COLUMNS - 1)
    found = Della(density=0.4, epsilon=0.1, seed=3)([model], base=np.zeros_like(model), name="w")
    mask = uniforms(3, "w", 0, 0, model.size).reshape(model.shape) < probability
    assert np.array_equal(found != 0, mask)
    np.testing.assert_allclose(found[mask], (model / probability)[mask], rtol=3e-7)


def test_every_entry_keeps_its_expected_value() -> None:
    model = np.tile(np.arange(1, COLUMNS + 1, dtype=np.float32), (40_000, 1))
    found = DellaLinear(density=0.5, epsilon=0.3)([model], base=np.zeros_like(model))
    assert np.allclose(found.mean(0, dtype=np.float64), np.arange(1, COLUMNS + 1), rtol=0.03)


def test_without_rescaling_what_is_kept_stays_as_it_is() -> None:
    model = rows(50)
    found = DellaLinear(rescale=False)([model], base=np.zeros_like(model))
    assert np.array_equal(found[found != 0], model[found != 0])


@pytest.mark.parametrize(("ours", "dare"), [(Della, DareTies), (DellaLinear, DareLinear)])
def test_without_a_range_it_is_dare_bit_for_bit(
    ours: type[Della | DellaLinear], dare: type[DareTies | DareLinear]
) -> None:
    generator = np.random.default_rng(1)
    base, *models = generator.standard_normal((4, 7, 33)).astype(np.float32)
    options = {"density": [0.3, 0.5, 1.0], "weights": [0.5, 0.2, 0.9], "normalize": True, "seed": 5}
    found = ours.from_options({**options, "epsilon": 0})(models, base=base, name="w")
    assert same_bits(found, dare.from_options(options)(models, base=base, name="w"))


def test_of_equal_magnitudes_the_first_has_the_lower_rank() -> None:
    model = np.tile(np.array([2, -2, 2, -2], np.float32), (20_000, 1))
    kept = DellaLinear(density=0.5, epsilon=0.4)([model], base=np.zeros_like(model)) != 0
    assert np.allclose(kept.mean(0), [0.1, 0.1 + 0.8 / 3, 0.1 + 1.6 / 3, 0.9], atol=0.015)


def test_all_bits_of_a_magnitude_count() -> None:
    generator = np.random.default_rng(2)
    bits = generator.integers(0, 0x7F800000, (3, 257), dtype=np.uint32)
    bits[1] = 0x3F800000 + generator.permutation(257).astype(np.uint32)
    model = bits.view(np.float32) * generator.choice(np.array([-1, 1], np.float32), bits.shape)
    method = DellaLinear(density=0.5, epsilon=0.49, rescale=False)
    rank = np.argsort(np.argsort(np.abs(model), axis=1, kind="stable"), axis=1)
    mask = uniforms(42, "weight", 0, 0, model.size).reshape(model.shape) < 0.01 + 0.98 * rank / 256
    assert same_bits(method([model], base=np.zeros_like(model)), np.where(mask, model, np.float32(0)))


def test_a_tensor_of_one_dimension_is_one_row_and_an_only_entry_has_the_density() -> None:
    assert [Della().unit(Site("w", shape, 1)) for shape in [(), (1,), (7,), (3, 7), (2, 3, 7), (3, 0)]] == [
        *(1, 1, 7),
        *(7, 7, 1),
    ]
    model = np.ones((20_000, 1), np.float32)
    assert abs((DellaLinear(density=0.3, epsilon=0.2)([model], base=model * 0) != 0).mean() - 0.3) < 0.02


@pytest.mark.parametrize(
    ("density", "epsilon"), [(0.5, 0.5), (0.1, 0.2), (0.9, 0.2), (0.5, -0.1), (1.0, 0.1), ((0.5, 0.9), 0.2)]
)
def test_probabilities_outside_zero_to_one_are_refused(density: float, epsilon: float) -> None:
    with pytest.raises(MethodError, match=r"della: density - epsilon and density \+ epsilon must be in \(0, 1\]"):
        Della(density=density, epsilon=epsilon)


def test_as_many_densities_as_epsilons_are_needed() -> None:
    with pytest.raises(MethodError, match="della: 2 values of density for 3 models"):
        Della(density=(0.5, 0.4), epsilon=(0.1, 0.1, 0.1))
    with pytest.raises(MethodError, match="della_linear: 3 values of epsilon for 2 models"):
        DellaLinear(epsilon=(0.1, 0.1, 0.1)).check(2, has_base=True)
