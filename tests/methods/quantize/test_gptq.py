"""GPTQ beside its float64 transcription, and beside round-to-nearest: what comes out of the layer is what counts."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from lineal.errors import MethodError
from lineal.methods.input_statistics import SecondMoment
from lineal.methods.quantize.feedback import feedback
from lineal.methods.quantize.gptq import gptq
from lineal.methods.quantize.grid import Grid, from_codes
from tests.builders import Array
from tests.reference import gptq as reference

FORMS = [(False, False), (True, False), (True, True)]
"""static_groups and act_order."""


def inputs(tokens: int, columns: int, seed: int = 0) -> Array:
    """They depend on each other as a model's do, and some are much larger than others."""
    drawn = np.random.default_rng(seed)
    common = drawn.standard_normal((tokens, columns // 4)) @ drawn.standard_normal((columns // 4, columns))
    sizes = np.exp(0.5 * drawn.standard_normal(columns))
    return ((common + 0.5 * drawn.standard_normal((tokens, columns))) * sizes).astype(np.float32)


def weights(rows: int, columns: int, seed: int = 1) -> Array:
    return (0.02 * np.random.default_rng(seed).standard_normal((rows, columns))).astype(np.float32)


def moment_of(x: Array) -> Array:
    moment = SecondMoment(x.shape[1])
    for start in range(0, len(x), 256):
        moment.add(x[start : start + 256])
    return moment.matrix()


def stored(weight: Array, x: Array, grid: Grid, *, static_groups: bool = False, **how: Any) -> Array:
    codes, scales = gptq(weight, feedback(moment_of(x), **how), grid, static_groups=static_groups)
    return from_codes(codes, scales, grid)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("bits", "group", "symmetric"), [(2, 32, True), (3, 48, False), (4, 32, False), (4, None, True), (8, 48, True)]
)
def test_the_output_is_off_by_what_the_papers_equations_leave(
    bits: int, group: int | None, symmetric: bool, form: tuple[bool, bool]
) -> None:
    weight, x = weights(70, 96), inputs(1024, 96)
    exact = x.T.astype(np.float64) @ x
    static_groups, act_order = form
    found = stored(weight, x, Grid(bits, symmetric, group), static_groups=static_groups, act_order=act_order)
    expected = reference.gptq(
        weight,
        exact,
        bits,
        group or 96,
        symmetric=symmetric,
        static_groups=static_groups,
        act_order=act_order,
        damping=0.01,
    )
    errors = [reference.output_error(weight, one, exact) for one in (found, expected)]
    assert errors[0] == pytest.approx(errors[1], rel=0.01)
    assert (found == expected.astype(np.float32)).mean() > 0.99


def test_groups_that_begin_within_and_beyond_a_block_of_columns_are_as_the_equations_have_them() -> None:
    weight, x = weights(5, 192), inputs(1024, 192)
    exact = x.T.astype(np.float64) @ x
    for group in (48, 96):
        expected = reference.gptq(
            weight, exact, 3, group, symmetric=True, static_groups=False, act_order=False, damping=0.05
        )
        assert (stored(weight, x, Grid(3, True, group), damping=0.05) == expected.astype(np.float32)).mean() > 0.99


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("group", [32, 64, 128, 256, None])
def test_the_output_is_off_by_far_less_than_round_to_nearest_leaves(bits: int, group: int | None) -> None:
    """Of 512 columns, so that errors go from block to block: a mix-up of columns there would show."""
    weight, x = weights(96, 512), inputs(2048, 512)
    exact = x.T.astype(np.float64) @ x
    for symmetric, (static_groups, act_order) in product((True, False), FORMS):
        found = stored(weight, x, Grid(bits, symmetric, group), static_groups=static_groups, act_order=act_order)
        plain = reference.rounded(weight, bits, group or 512, symmetric=symmetric)
        errors = [reference.output_error(weight, one, exact) for one in (found, plain)]
        assert errors[0] < (0.45 if bits > 2 else 0.8) * errors[1], (symmetric, static_groups, act_order)


def test_inputs_that_tell_nothing_of_each_other_are_rounded_to_nearest() -> None:
    weight = weights(33, 128)
    by = feedback(np.diag(np.linspace(1, 9, 128).astype(np.float32)))
    for group in (32, None):
        grid = Grid(4, False, group)
        codes, scales = gptq(weight, by, grid)
        expected = reference.rounded(weight, 4, group or 128, symmetric=False)
        assert np.array_equal(from_codes(codes, scales, grid), expected.astype(np.float32))


def test_the_bytes_are_the_same_for_any_number_of_threads() -> None:
    weight, by, grid = weights(129, 256), feedback(moment_of(inputs(1024, 256))), Grid(4, True, 128)
    before = torch.get_num_threads()
    found: list[bytes] = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            codes, scales = gptq(weight, by, grid)
            found.append(codes.tobytes() + scales.scales.tobytes())
    finally:
        torch.set_num_threads(before)
    assert len(set(found)) == 1


def test_weights_of_inputs_that_are_always_zero_become_zero_and_disturb_no_other() -> None:
    weight, x = weights(16, 128), inputs(1024, 128)
    x[:, 7] = 0
    weight[:, 7] = 9
    grid = Grid(4, True, 32)
    found = stored(weight, x, grid)
    assert not found[:, 7].any()
    without = weight.copy()
    without[:, 7] = 0
    assert np.array_equal(found, stored(without, x, grid))


def test_an_input_that_repeats_another_makes_a_singular_moment() -> None:
    x = inputs(1024, 128)
    x[:, 9] = x[:, 3]
    with pytest.raises(MethodError, match=r"model\.up\.weight depend on each other.*more samples, or a larger damping"):
        feedback(moment_of(x), damping=0, where="model.up.weight")
    assert feedback(moment_of(x)).coefficients.shape == (128, 128)


def test_fewer_tokens_than_columns_need_a_damping() -> None:
    x = np.random.default_rng(5).standard_normal((100, 128)).astype(np.float32)
    with pytest.raises(MethodError, match="singular with a damping of 0"):
        feedback(moment_of(x), damping=0)
    feedback(moment_of(x), damping=0.01)


def test_inputs_that_are_not_finite_are_refused() -> None:
    moment = np.eye(4, dtype=np.float32)
    moment[2, 2] = np.inf
    with pytest.raises(MethodError, match=r"inputs of model\.down\.weight are not finite"):
        feedback(moment, where="model.down.weight")
