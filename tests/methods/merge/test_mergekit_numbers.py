"""What mergekit 0.1.5 computes in float32: row 2 of an [8, 8] tensor, printed to six decimals."""

import numpy as np
import pytest

from lineal.methods.merge.karcher import Karcher
from lineal.methods.merge.model_stock import ModelStock
from lineal.methods.merge.multislerp import MultiSlerp
from lineal.methods.merge.nearswap import Nearswap
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.streaming import Float32, StreamingMethod


def patterned(model: int) -> Float32:
    i, j = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    return (((7 * i + 5 * j + 3 * model * (i + 1) + model * model) % 11 - 5) / 4).astype(np.float32)


BASE = patterned(0)
PAIR, TRIO = [patterned(1), patterned(2)], [patterned(1), patterned(2), patterned(3)]
WEIGHTS = (0.2, 0.5, 0.9)

Row = list[float]

ON_MODELS: list[tuple[StreamingMethod, Row]] = [
    (
        NuSlerp(weights=(0.3, 0.9)),
        [-0.755418, 0.891001, -1.084702, 0.561717, -1.413986, 0.232434, -0.677915, -0.09685],
    ),
    (  # there nuslerp_row_wise: false
        NuSlerp(weights=(0.3, 0.9), flatten=False, row_wise=True),
        [-0.67463, 0.806358, -0.970827, 0.51016, -1.267025, 0.213963, -0.658639, -0.082235],
    ),
    (  # there nuslerp_row_wise: true
        NuSlerp(weights=(0.3, 0.9), flatten=False),
        [-0.782487, 0.848631, -0.921902, 0.535926, -1.463169, 0.23097, -0.746647, -0.088929],
    ),
    (
        MultiSlerp(weights=WEIGHTS),
        [-0.16017, -0.602824, -0.529029, 1.315266, -0.897888, 0.946407, -0.758931, 0.577548],
    ),
    (
        MultiSlerp(weights=WEIGHTS, normalize=False),
        [-0.256271, -0.964518, -0.846446, 2.104426, -1.43662, 1.514251, -1.21429, 0.924077],
    ),
    (Karcher(), [-0.566465, 0.006068, -0.987989, 1.119631, -1.409513, 0.698107, -0.268188, 0.276583]),
    (Karcher(max_iter=1), [-0.565629, 0.004624, -0.987137, 1.120405, -1.408645, 0.698897, -0.269557, 0.277388]),
    (Karcher(tol=0.5), [-0.561121, -0.002826, -0.982533, 1.124528, -1.403946, 0.703116, -0.277796, 0.281704]),
    (Passthrough(), [-0.75, 0.5, -1.0, 0.25, -1.25, 0.0, 1.25, -0.25]),
]

ON_TASK_VECTORS: list[tuple[StreamingMethod, int, Row]] = [
    (
        NuSlerp(weights=(0.3, 0.9)),
        2,
        [-0.574877, 0.675123, -0.824877, 0.425123, -1.074877, 0.175123, -0.501232, -0.074877],
    ),
    (
        MultiSlerp(weights=WEIGHTS),
        3,
        [-0.071392, -0.52432, -0.321392, 0.928608, -0.571392, 0.678608, -0.427299, 0.428608],
    ),
    (ModelStock(), 3, [-0.369296, 0.161833, -0.619296, 0.630704, -0.869296, 0.380704, -0.400426, 0.130704]),
    (ModelStock(), 2, [-0.582745, 0.667255, -0.832745, 0.417255, -1.082746, 0.167255, -0.422545, -0.082745]),
    (
        ModelStock(filter_wise=True),
        3,
        [-0.47434, 0.634531, -0.72434, 0.52566, -0.97434, 0.27566, -1.083212, 0.02566],
    ),
    (Nearswap(t=0.3), 1, [-0.75, 0.5, -1.0, 0.25, -1.25, 0.0, -0.95, -0.25]),
]


@pytest.mark.parametrize(("method", "row"), ON_MODELS)
def test_a_merge_of_models_is_mergekit_s(method: StreamingMethod, row: Row) -> None:
    models = {"nuslerp": PAIR, "passthrough": PAIR[:1]}.get(method.name, TRIO)
    np.testing.assert_allclose(method(models)[2], row, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("method", "count", "row"), ON_TASK_VECTORS)
def test_a_merge_of_task_vectors_is_mergekit_s(method: StreamingMethod, count: int, row: Row) -> None:
    np.testing.assert_allclose(method(TRIO[:count], base=BASE)[2], row, rtol=0, atol=2e-6)
