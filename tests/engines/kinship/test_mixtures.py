"""Combinations of models: found where they are, and not where a fine-tune only resembles one."""

import numpy as np
import pytest

from lineal.engines.compare.kinship.mixtures import find_mixture
from tests.builders import Array
from tests.trained_llamas import Tensors, trained_like, tuned

ROUNDING = 2.0**-24
BASE = trained_like(1, num_hidden_layers=1)
A, B, C = (tuned(BASE, seed) for seed in (2, 3, 4))
KNOWN = (BASE, A, B, C)


def windows(tensors: Tensors) -> dict[str, Array]:
    return {name: x[:64] for name, x in tensors.items() if x.ndim > 1}


def each(*parts: tuple[float, Tensors]) -> Tensors:
    return {name: sum(weight * x[name] for weight, x in parts).astype(np.float32) for name in BASE}


def asked(child: Tensors, *known: Tensors):
    return find_mixture(windows(child), [windows(one) for one in known or KNOWN], ROUNDING)


def test_a_linear_merge_is_its_weights() -> None:
    found = asked(each((0.7, A), (0.3, B)))
    assert found is not None
    assert (found.models, found.base, found.form) == ((1, 2), None, "weighted")
    assert found.weights == pytest.approx((0.7, 0.3), abs=1e-4)
    assert found.left < 1e-12


def test_a_sum_of_task_vectors_has_its_base() -> None:
    found = asked(each((-0.4, BASE), (0.8, A), (0.6, C)))
    assert found is not None
    assert (found.models, found.base) == ((0, 1, 3), 0)


def test_layers_of_two_models_are_a_combination() -> None:
    found = asked({name: (A if "mlp" in name else B)[name] for name in BASE})
    assert found is not None
    assert found.models == (1, 2)


def test_a_fine_tune_is_no_combination() -> None:
    assert asked(tuned(A, 9)) is None


def test_a_fine_tune_in_the_direction_of_another_is_no_combination() -> None:
    noise = tuned(A, 10, 0.05)
    child = {
        name: (A[name] + 0.5 * (B[name] - BASE[name]) + (noise[name] - A[name])).astype(np.float32) for name in BASE
    }
    assert asked(child) is None


def test_a_parent_of_a_known_merge_is_not_made_of_it() -> None:
    merged = each((0.5, A), (0.5, B))
    assert asked(A, merged, B) is None


def test_one_model_is_no_combination_and_neither_is_one_without_common_tensors() -> None:
    assert asked(A, BASE) is None
    assert find_mixture({"x": np.ones((8, 8), np.float32)}, [windows(A), windows(B)], ROUNDING) is None
