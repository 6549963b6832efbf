"""The shared reference vectors for merges: float64 results, compared in float32 to 1e-5."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.methods.merge.linear import Linear
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties
from lineal.methods.streaming import StreamingMethod
from tests.builders import Array

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "formulas.json").read_text())["merge"]
WEIGHTS = tuple(VECTORS["weights"])

METHODS: dict[str, StreamingMethod] = {
    "linear": Linear(weights=WEIGHTS),
    "linear_unnormalized": Linear(weights=WEIGHTS, normalize=False),
    "task_arithmetic_lambda_0_7": TaskArithmetic(weights=WEIGHTS, lambda_=0.7),
    "ties_density_0_25": Ties(weights=WEIGHTS, density=0.25),
    "ties_density_0_25_unnormalized_lambda_0_5": Ties(weights=WEIGHTS, density=0.25, lambda_=0.5, normalize=False),
    "slerp_t_0_3_of_models_0_1": Slerp(t=0.3),
}


def array(entry: str) -> Array:
    return np.array(VECTORS[entry], np.float32)


@pytest.mark.parametrize("entry", METHODS)
def test_a_merge_is_that_of_the_reference_vectors(entry: str) -> None:
    method, models = METHODS[entry], list(array("models"))
    found = method(
        models[:2] if isinstance(method, Slerp) else models, base=array("base") if method.uses_base else None
    )
    np.testing.assert_allclose(found, np.array(VECTORS[entry]), rtol=1e-5, atol=1e-6)


def test_every_vector_is_used() -> None:
    assert VECTORS.keys() - METHODS.keys() == {"base", "models", "weights", "note"}
