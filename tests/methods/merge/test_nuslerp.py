"""NuSLERP: which vectors it interpolates, and what it does where there is no arc."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.slerp import Slerp
from lineal.methods.streaming import Float32
from tests.builders import same_bits

A, B, BASE = (np.random.default_rng(seed).standard_normal((6, 5), np.float32) for seed in range(3))
ROWS, COLUMNS = NuSlerp(flatten=False, row_wise=True), NuSlerp(flatten=False)


def flat(first: Float32, second: Float32, base: Float32 | None = None) -> Float32:
    return NuSlerp()([first, second], base=base)


def test_without_a_base_it_is_slerp_with_weights_for_t() -> None:
    np.testing.assert_allclose(NuSlerp(weights=(0.7, 0.3))([A, B]), Slerp(t=0.3)([A, B]), rtol=0, atol=1e-6)


def test_row_wise_each_row_is_a_vector_of_its_own() -> None:
    expected = np.stack([flat(a, b) for a, b in zip(A, B, strict=True)])
    assert same_bits(ROWS([A, B]), expected)
    expected = np.stack([flat(a, b, c) for a, b, c in zip(A, B, BASE, strict=True)])
    assert same_bits(ROWS([A, B], base=BASE), expected)


def test_otherwise_each_column_is() -> None:
    for base in (None, BASE):
        turned = ROWS([A.T, B.T], base=None if base is None else base.T)
        np.testing.assert_allclose(COLUMNS([A, B], base=base), turned.T, rtol=0, atol=1e-6)


def test_of_more_dimensions_rows_run_along_the_last_and_columns_along_all_others() -> None:
    a, b = A.reshape(2, 3, 5), B.reshape(2, 3, 5)
    for method in (ROWS, COLUMNS):
        assert same_bits(method([a, b]), method([A, B]).reshape(2, 3, 5))


def test_a_tensor_of_one_dimension_is_one_vector_however_it_is_cut() -> None:
    a, b = A.reshape(-1), B.reshape(-1)
    assert same_bits(ROWS([a, b]), flat(a, b))
    np.testing.assert_allclose(COLUMNS([a, b]), flat(a, b), rtol=0, atol=1e-6)


def test_parallel_and_opposite_vectors_are_interpolated_linearly() -> None:
    for factor in (1.0, 2.0, -1.0, -3.0):
        np.testing.assert_allclose(flat(A, np.float32(factor) * A), (1 + factor) / 2 * A, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_beside_a_row_without_an_arc_the_others_keep_theirs(factor: float) -> None:
    second = B.copy()
    second[3] = np.float32(factor) * A[3]
    others = [0, 1, 2, 4, 5]
    assert same_bits(ROWS([A, second])[others], ROWS([A, B])[others])
    np.testing.assert_allclose(ROWS([A, second])[3], (1 + factor) / 2 * A[3], rtol=1e-6)


def test_a_vector_of_zeros_is_perpendicular_to_the_other() -> None:
    np.testing.assert_allclose(flat(np.zeros_like(B), B), np.sqrt(0.5) * B, rtol=1e-6)
    assert not flat(np.zeros_like(B), np.zeros_like(B)).any()


def test_the_length_of_equally_long_vectors_is_kept_even_nearly_opposite() -> None:
    a = A.reshape(-1)
    for angle in (0.1, 1.0, 3.0, 3.13, 3.1412):
        across = B.reshape(-1) - np.float32(a @ B.reshape(-1) / (a @ a)) * a
        across *= np.linalg.norm(a) / np.linalg.norm(across)
        b = (np.cos(angle) * a + np.sin(angle) * across).astype(np.float32)
        found = flat(a, b)
        assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(a), rel=1e-3)


def test_weights_may_lead_beyond_the_ends_of_the_arc() -> None:
    a, b = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    np.testing.assert_allclose(NuSlerp(weights=(-1, 2))([a, b]), [-1, 0], atol=1e-7)  # t = 2: twice a right angle
    np.testing.assert_allclose(NuSlerp(weights=(3, -1))([a, b]), [np.cos(np.pi / 4), -np.sin(np.pi / 4)], atol=1e-7)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (NuSlerp(weights=(0.5, -0.5)), "nuslerp: the weights sum to 0, which cannot be normalized"),
        (NuSlerp(weights=(1, 2, 3)), "nuslerp: 3 weights for 2 models"),
    ],
)
def test_weights_that_mean_nothing_are_refused(method: NuSlerp, message: str) -> None:
    with pytest.raises(MethodError, match=f"^{message}$"):
        method([A, B])


def test_any_other_number_of_models_is_refused() -> None:
    for models in ([A], [A, B, A]):
        with pytest.raises(MethodError, match=f"^nuslerp: exactly two models are needed, got {len(models)}$"):
            NuSlerp()(models)


def test_row_wise_on_whole_tensors_is_refused() -> None:
    with pytest.raises(MethodError, match="row_wise says which vectors a tensor is cut into; it needs flatten off"):
        NuSlerp(row_wise=True)
