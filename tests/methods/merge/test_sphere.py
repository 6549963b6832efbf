"""Merges by direction: means on the sphere, and the ratio that Model Stock takes from angles."""

import math

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.karcher import Karcher
from lineal.methods.merge.model_stock import ModelStock
from lineal.methods.merge.multislerp import MultiSlerp
from lineal.methods.streaming import Float32, Site, StreamingMethod
from tests.builders import Array, same_bits
from tests.reference import sphere

A, B, C = (np.random.default_rng(seed).standard_normal((6, 5), np.float32) for seed in range(3))
ZERO = np.zeros_like(A)


def plane(*degrees: float, length: float = 1.0) -> list[Float32]:
    """Vectors in a plane, at these angles."""
    turns = [math.radians(angle) for angle in degrees]
    return [np.array([length * math.cos(turn), length * math.sin(turn)], np.float32) for turn in turns]


def angle_of(vector: Array) -> float:
    return math.degrees(math.atan2(float(vector[1]), float(vector[0])))


@pytest.mark.parametrize("method", [MultiSlerp(), Karcher()])
def test_the_length_is_the_mean_of_the_lengths(method: StreamingMethod) -> None:
    mean = np.mean([np.linalg.norm(x) for x in (A, 2 * B, C)])
    assert np.linalg.norm(method([A, 2 * B, C])) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("method", [MultiSlerp(), Karcher()])
def test_of_two_directions_the_mean_lies_between(method: StreamingMethod) -> None:
    assert angle_of(method(plane(10, 70))) == pytest.approx(40, abs=1e-5)


def test_the_karcher_mean_is_the_mean_of_angles_where_multislerp_takes_the_chord_s() -> None:
    degrees = (0, 10, 100)
    assert angle_of(Karcher(max_iter=100, tol=1e-9)(plane(*degrees))) == pytest.approx(np.mean(degrees), abs=1e-4)
    x, y = np.mean(plane(*degrees), axis=0)
    assert angle_of(MultiSlerp()(plane(*degrees))) == pytest.approx(math.degrees(math.atan2(y, x)), abs=1e-5)


def test_at_the_karcher_mean_the_logarithms_cancel_out() -> None:
    models = [x.astype(np.float64) for x in (A, 3 * B, C)]
    mean = sphere.unit(Karcher(max_iter=100, tol=1e-9)([A, 3 * B, C]).astype(np.float64))
    steps = [sphere.logarithm(mean, sphere.unit(model)) for model in models]
    assert np.abs(np.sum(steps, axis=0)).max() < 1e-6


def test_a_step_shorter_than_tol_is_not_taken() -> None:
    start = MultiSlerp()([A, B, C])
    assert same_bits(Karcher(tol=2.0)([A, B, C]), start)
    assert not np.array_equal(Karcher()([A, B, C]), start)


def test_the_iterations_read_nothing() -> None:
    assert Karcher(max_iter=1000).passes(Site("w", (4,), 2)) == 2


@pytest.mark.parametrize("method", [MultiSlerp(), Karcher()])
def test_where_directions_cancel_out_it_is_the_mean_of_the_models(method: StreamingMethod) -> None:
    for models in ([A, -3 * A], plane(0, 120, 240), [A, -A, ZERO]):
        np.testing.assert_allclose(method(models), np.mean(models, axis=0, dtype=np.float64), rtol=0, atol=1e-6)


def test_eps_says_how_short_the_mean_direction_may_be() -> None:
    models = plane(0, 170, length=2)
    short = 2 * math.cos(math.radians(85)) / 2
    np.testing.assert_allclose(MultiSlerp(eps=short * 1.01)(models), np.mean(models, axis=0), atol=1e-6)
    assert np.linalg.norm(MultiSlerp(eps=short * 0.99)(models)) == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("method", [MultiSlerp(), Karcher()])
def test_a_vector_of_zeros_has_no_direction_but_its_length_counts(method: StreamingMethod) -> None:
    np.testing.assert_allclose(method([A, ZERO]), A / 2, rtol=1e-6)
    assert not method([ZERO, ZERO]).any()


def test_a_tensor_of_one_opposite_model_does_not_throw_the_others_off() -> None:
    np.testing.assert_allclose(Karcher()([A, A, A, -A]), A, rtol=1e-6)


def test_multislerp_s_weights_count_for_directions_and_lengths() -> None:
    found = MultiSlerp(weights=(3, 1))([*plane(0), *plane(90, length=5)])
    assert angle_of(found) == pytest.approx(math.degrees(math.atan2(1, 3)), abs=1e-5)
    assert np.linalg.norm(found) == pytest.approx((3 * 1 + 1 * 5) / 4, rel=1e-6)
    raw = MultiSlerp(weights=(3, 1), normalize=False)([*plane(0), *plane(90, length=5)])
    np.testing.assert_allclose(raw, 4 * found, rtol=1e-6)


def test_multislerp_of_unchanged_tensors_is_the_base() -> None:
    assert same_bits(MultiSlerp()([A, A], base=A), A)


@pytest.mark.parametrize(
    ("degrees", "ratio"),
    [
        ((0, 60), 2 * 0.5 / 1.5),
        ((0, 0), 1.0),
        ((0, 90), 0.0),
        ((0, 120), 2 * -0.5 / 0.5),  # beyond the base
        ((0, 180), 0.0),  # cancelled out
        ((0, 120, 240), 0.0),
        ((0, 60, 120), 3 * (0.5 / 3) / (2 * 0.5 / 3 + 1)),
    ],
)
def test_model_stock_goes_as_far_as_the_angles_say(degrees: tuple[float, ...], ratio: float) -> None:
    base = np.array([3, -2], np.float32)
    vectors = [length * v for v, length in zip(plane(*degrees), (1, 2, 3), strict=False)]
    found = ModelStock()([base + v for v in vectors], base=base)
    np.testing.assert_allclose(found, base + ratio * np.mean(vectors, axis=0), atol=1e-5)


def test_filter_wise_each_row_has_a_ratio_of_its_own() -> None:
    rows = [ModelStock()([a, b], base=c) for a, b, c in zip(A, B, C, strict=True)]
    assert same_bits(ModelStock(filter_wise=True)([A, B], base=C), np.stack(rows))
    assert same_bits(ModelStock(filter_wise=True)([A[0], B[0]], base=C[0]), rows[0])


def test_a_model_equal_to_the_base_counts_with_cosine_0() -> None:
    assert same_bits(ModelStock()([A, A], base=A), A)
    vectors = [ZERO, *(np.float32(2) * B for _ in range(2))]
    cosine = 1 / 3
    ratio = 3 * cosine / (2 * cosine + 1)
    np.testing.assert_allclose(ModelStock()(vectors, base=ZERO), ratio * 4 / 3 * B, rtol=1e-6)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (MultiSlerp(), "multislerp: at least two models are needed, got 1"),
        (Karcher(), "karcher: at least two models are needed, got 1"),
        (ModelStock(), "model_stock: at least two models are needed beside the base, got 1"),
    ],
)
def test_one_model_is_refused(method: StreamingMethod, message: str) -> None:
    with pytest.raises(MethodError, match=f"^{message}$"):
        method([A], base=B if method.uses_base else None)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (MultiSlerp, {"eps": -1e-9}, r"multislerp: eps must be in \[0, 1\), got -1e-09"),
        (MultiSlerp, {"eps": 1.0}, r"multislerp: eps must be in \[0, 1\), got 1.0"),
        (Karcher, {"max_iter": 0}, "karcher: max_iter must be at least 1, got 0"),
        (Karcher, {"tol": -1.0}, "karcher: tol must be finite and not negative, got -1.0"),
        (Karcher, {"tol": math.inf}, "karcher: tol must be finite and not negative, got inf"),
        (Karcher, {"weights": [1, 2]}, "karcher: unknown option 'weights'"),
    ],
)
def test_options_out_of_range_are_refused(
    method: type[StreamingMethod], options: dict[str, float], message: str
) -> None:
    with pytest.raises(MethodError, match=f"^{message}"):
        method.from_options(options) if "weights" in options else method(**options)


def test_weights_that_cannot_be_normalized_are_refused() -> None:
    with pytest.raises(MethodError, match="multislerp: the weights sum to 0, which cannot be normalized"):
        MultiSlerp(weights=(1, -1))([A, B])
    assert np.isfinite(MultiSlerp(weights=(1, -1), normalize=False)([A, B])).all()


def test_karcher_and_model_stock_say_what_they_need_of_a_base() -> None:
    with pytest.raises(MethodError, match="karcher: takes no base"):
        Karcher()([A, B], base=C)
    with pytest.raises(MethodError, match="model_stock: a base is needed"):
        ModelStock()([A, B])
