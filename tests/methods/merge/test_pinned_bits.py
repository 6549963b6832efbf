"""Bits that a method may change only together with its `version`: a child must be recomputable."""

import numpy as np
import pytest
from blake3 import blake3

from lineal.methods.merge.breadcrumbs import Breadcrumbs, BreadcrumbsTies
from lineal.methods.merge.karcher import Karcher
from lineal.methods.merge.model_stock import ModelStock
from lineal.methods.merge.multislerp import MultiSlerp
from lineal.methods.merge.nearswap import Nearswap
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.sce import Sce
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.ties import Ties
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.streaming import Float32, StreamingMethod
from lineal.randomness import uniforms

SHAPE = (67, 131)


def tensor(model: int) -> Float32:
    return uniforms(7, "pinned", model, 0, 67 * 131).reshape(SHAPE) - np.float32(0.4)


BASE, MODELS = tensor(0), [tensor(model) for model in (1, 2, 3)]

PINNED: list[tuple[StreamingMethod, int, bool, str]] = [
    (Slerp(t=0.3), 2, False, "7bcf04420fde1c55"),
    (NuSlerp(weights=(0.3, 0.9)), 2, False, "a993cbe076c7acdd"),
    (NuSlerp(weights=(0.3, 0.9)), 2, True, "603fd5adcd41b6df"),
    (NuSlerp(flatten=False), 2, True, "33916f6ae5264139"),
    (NuSlerp(flatten=False, row_wise=True), 2, True, "8cfadad401b758fd"),
    (MultiSlerp(weights=(0.2, 0.5, 0.9)), 3, False, "72b0135304aa44ab"),
    (MultiSlerp(), 3, True, "fef191edd82a8e4f"),
    (Karcher(), 3, False, "915828480c734ce4"),
    (ModelStock(), 3, True, "9c721c31e5cb61ae"),
    (ModelStock(filter_wise=True), 2, True, "317b104745277144"),
    (Nearswap(t=0.1), 1, True, "af2a21f32579896a"),
]

SELECTING: list[tuple[StreamingMethod, int, bool, str]] = [
    (Ties(density=0.29), 3, True, "9cf9b073d8d886ae"),
    (Breadcrumbs(density=0.5, gamma=0.29), 2, True, "dbeb67ffafb31193"),
    (BreadcrumbsTies(density=0.5, gamma=0.29), 3, True, "876eee70bce01a67"),
    (Sce(select_topk=0.29), 3, True, "14db857f33469908"),
    (MagnitudePruning(sparsity=0.29), 1, False, "77af2e1877dd4278"),
    (MagnitudePruning(sparsity=0.29, scope="row"), 1, False, "a0b7f2e1a966db99"),
]
"""On tensors of few values, so that many tie."""


@pytest.mark.parametrize(("method", "models", "has_base", "digest"), PINNED)
def test_these_bits_are_the_same_on_every_machine(
    method: StreamingMethod, models: int, has_base: bool, digest: str
) -> None:
    child = method(MODELS[:models], base=BASE if has_base else None)
    assert (method.version, blake3(child.tobytes()).hexdigest()[:16]) == (1, digest)


@pytest.mark.parametrize(("method", "models", "has_base", "digest"), SELECTING)
def test_these_bits_are_of_version_2(method: StreamingMethod, models: int, has_base: bool, digest: str) -> None:
    coarse = [np.round(values * 8) / 8 for values in MODELS[:models]]
    child = method(coarse, base=np.round(BASE * 8) / 8 if has_base else None)
    assert (method.version, blake3(child.tobytes()).hexdigest()[:16]) == (2, digest)
