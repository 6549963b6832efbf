"""The machine code of every kernel: one IEEE operation for each one written, and no library that rounds its own way."""

import importlib
import math
import pkgutil
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import numba
import numpy as np
import pytest

import lineal.checkpoint
import lineal.methods
import lineal.randomness
from lineal.checkpoint.codes import double_quantization, nf4
from lineal.checkpoint.codes.dtypes import FLOATS, decode, encode, first_nonfinite
from lineal.checkpoint.codes.ggml import BLOCK_CODECS, BLOCK_DECODERS, CODECS, Encoding
from lineal.checkpoint.codes.ggml.float16 import float16_bits, float16_value
from lineal.checkpoint.codes.packed.bits import pack_nibbles, pack_rows
from lineal.checkpoint.codes.packed.values import INTEGERS, look_up, values_of
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.checkpoint.quantized import awq as awq_layout
from lineal.checkpoint.quantized.scaling import Blocks, scale, scale_by_column, shift_and_scale
from lineal.kernels.compiled import numba_type
from lineal.kernels.kernel import Kernel
from lineal.methods.merge.adapter import add_low_rank
from lineal.methods.quantize.clipping import mse
from lineal.methods.quantize.feedback import feedback
from lineal.methods.quantize.fitting import squared_error
from lineal.methods.quantize.gptq import gptq
from lineal.methods.quantize.grid import Grid, fit, from_codes, to_codes
from lineal.methods.quantize.grid_rounding import round_groups
from lineal.methods.quantize.rounding_error import FIGURES, add_rounding_error
from lineal.methods.quantize.small_floats import largest_magnitudes, to_e2m1, to_e4m3
from lineal.methods.selection import magnitude_ranges
from lineal.randomness import uniforms
from tests.checkpoint.test_nf4 import encoded, encoded_int8
from tests.examples import MERGES, PRUNINGS

FUSED = re.compile(r"\b(vfn?m(add|sub)\w*|fn?m(add|sub)\b|fml[as]\b)")
"""x86's and arm64's multiply-adds with a single rounding."""

REFERENCES = re.compile(r"(?:\bmovabsq\s+\$|\bcallq?\s+|\bblr?\s+|:got:|@GOTPCREL\b.*)([A-Za-z_][\w.]*)")
LIBRARY = re.compile(
    r"_?(a?(sin|cos|tan)h?|atan2|exp[2m10]*|log[1p02]*|pow[i]?|cbrt|hypot|fmod|erf|[tl]?gamma|fma)[fl]?(\.\w+)?"
    r"|.*(gemm|gemv|cblas|blas|lapack|svml|numba_xx|numba_ez|xxdot).*"
)
"""libm, BLAS, LAPACK, and vector libraries that replace libm."""


def modules() -> Iterator[Any]:
    yield lineal.randomness
    for package in (lineal.checkpoint, lineal.methods):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


KERNELS: dict[str, Kernel] = {
    value.name: value for module in modules() for value in vars(module).values() if isinstance(value, Kernel)
}
CALLED = {name: kernel for name, kernel in KERNELS.items() if kernel.signature}
"""Those that are called from outside; the others are part of what these compile to."""


def run_all() -> None:
    """Call every kernel there is by what uses it."""
    ones = np.linspace(0.5, 2, 35, dtype=np.float32).reshape(5, 7)
    for example in (*MERGES, *PRUNINGS):
        models = [ones + np.float32(m) * ones[::-1] for m in range(example.models)]
        example.method(models, base=ones[:, ::-1].copy() if example.has_base else None)
    for dtype in FLOATS:
        raw = np.empty(8 * 8, np.uint8)[: 8 * {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}.get(dtype, 1)]
        encode(np.ones(8, np.float32), dtype, raw)
        decode(raw, dtype, np.empty(8, np.float32))
        first_nonfinite(np.full(8, np.nan, np.float32), dtype)
    encode(np.full(8, np.nan, np.float32), "BF16", np.empty(16, np.uint8))
    values = np.linspace(-3, 4, 256, dtype=np.float32)
    for dtype, fused, importance in product(BLOCK_CODECS, (False, True), (None, values * values)):
        encode(values, dtype, np.empty(byte_length(dtype, 256), np.uint8), Encoding(importance, fused))
    for dtype in BLOCK_DECODERS:
        weights, size = BLOCKS[dtype]
        decode(np.arange(size, dtype=np.uint8), dtype, np.empty(weights, np.float32))
    add_rounding_error(values, values / np.float32(3), 32, np.zeros(FIGURES))
    for grid in (Grid(4, group=32), Grid(3, symmetric=False, group=None, scale_dtype="F16")):
        matrix = values.reshape(4, 64)
        scales = fit(matrix, grid)
        codes = to_codes(matrix, scales, grid)
        fit(matrix, grid, mse)
        from_codes(codes, scales, grid)
        gptq(matrix, feedback(np.eye(64, dtype=np.float32) + np.float32(0.5)), grid)
        pack_rows(codes, grid.bits)
    for symmetric in (True, False):
        round_groups(values.reshape(4, 64), Grid(4, symmetric=symmetric, group=32), np.zeros(FIGURES))
    magnitudes = largest_magnitudes(values.reshape(4, 64), 1, 16)
    to_e4m3(values.reshape(4, 64), magnitudes, 1, 16, np.empty((4, 64), np.float32))
    pack_nibbles(to_e2m1(values.reshape(4, 64), magnitudes, 16, np.empty((4, 64), np.float32)))
    encoded_int8(values.reshape(4, 64))
    nf4.decode(*encoded(values, "nf4", 64), "nf4", 64, 0, np.empty(256, np.float32))
    double_quantization.encode(values)
    float16_bits(np.float32(1))
    float16_value(np.uint32(0x3C00))
    add_low_rank(np.ones(6, np.float32), 0, np.ones((2, 2), np.float32), np.ones((2, 3), np.float32))
    for bits in (3, 4, 8):
        look_up(np.zeros(8, np.uint8), 0, bits, values_of(INTEGERS, bits), values[:8].copy())
    shared, ones = Blocks(2, 3, 1, 3), np.ones(2, np.float32)
    scale(np.ones(6, np.float32), 0, shared, ones)
    shift_and_scale(np.ones(6, np.float32), 0, shared, ones, ones)
    scale_by_column(np.ones(6, np.float32), 0, np.zeros(3, np.int32), ones, ones, 1)
    awq_layout._nibbles(np.zeros(2, np.uint32), 1, 0, np.empty(9, np.float32))
    magnitude_ranges._count_within(np.empty(0, np.float32), values, np.uint32(0), np.zeros(4, np.int32))
    uniforms(1, "w", 0, 0, 9)
    squared_error(values, values[::-1].copy(), np.ones(8, np.float32), np.zeros(2))


def bits_of(value: Any) -> Any:
    """All that counts of an array: a record's padding does not."""
    return value.tolist() if value.dtype.names else value.tobytes()


def assembly(dispatcher: Any) -> str:
    """What a kernel, and what it calls, compiles to on this machine."""
    return "\n".join(dispatcher.inspect_asm().values())


def faults(text: str) -> list[str]:
    """Fused operations and calls into mathematical libraries."""
    called = {name for name in REFERENCES.findall(text) if LIBRARY.fullmatch(name)}
    return sorted({match[0] for match in FUSED.finditer(text)} | called)


@pytest.mark.parametrize("name", sorted(CALLED))
def test_a_kernel_has_no_fused_operations_and_calls_no_library(name: str) -> None:
    kernel = CALLED[name]
    assert kernel.signature is not None
    dispatcher = kernel.dispatcher
    dispatcher.compile(tuple(numba_type(argument) for argument in kernel.signature.arguments))
    assert not dispatcher.targetoptions["fastmath"]
    text = assembly(dispatcher)
    assert "ret" in text
    assert faults(text) == []


def test_all_kernels_are_looked_at() -> None:
    assert len(CALLED) >= 55
    assert {"lineal.randomness._philox", "lineal.methods.merge.adapter.add_low_rank"} <= CALLED.keys()
    assert all(codec.decode in CALLED.values() for codec in CODECS.values())
    searches = {"affine", "nonlinear", "positive", "refined", "symmetric"}
    both = {f"lineal.checkpoint.codes.ggml.{name}.{family}" for name in searches for family in ("_plain", "_fused")}
    assert both <= CALLED.keys()
    within_others = {"arc.arc_shares", "entries._exponent", "entries._thin_end", "double_quantization._add_rows"}
    of_grids = ("_as_stored", "_ordered", "code_of", "extremes_of", "largest_of", "scale_of", "zero_of")
    of_groups = ("_count_outliers", "_encode", "_encode_and_sum", "_measure", "_total")
    of_floats = ("_e2m1", "_e4m3", "_of_e2m1", "_of_e4m3")
    rooms = {"grid": of_grids, "grid_rounding": of_groups, "small_floats": of_floats, "scaling": ("_rest_of_row",)}
    within_others |= {f"{room}.{name}" for room, names in rooms.items() for name in names}
    other = {name for name in KERNELS.keys() - CALLED.keys() if ".ggml." not in name and ".packed." not in name}
    assert {".".join(name.split(".")[-2:]) for name in other} == within_others


def test_a_kernel_computes_the_bytes_that_numbas_own_call_of_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: set[str] = set()
    run = Kernel.__call__

    def both(kernel: Kernel, *arguments: Any) -> Any:
        arrays = [value for value in arguments if isinstance(value, np.ndarray)]
        before = [array.copy() for array in arrays]
        expected = kernel.dispatcher(*arguments)
        after = [bits_of(array) for array in arrays]
        for array, content in zip(arrays, before, strict=True):  # some share their memory
            array[...] = content
        found = run(kernel, *arguments)
        assert (repr(found), [bits_of(array) for array in arrays]) == (repr(expected), after), kernel.name
        compared.add(kernel.name)
        return found

    monkeypatch.setattr(Kernel, "__call__", both)
    run_all()
    within_others = {"_arctan", "_dot", "_stretch", "cos", "cosine_with", "exp_to_zero", "log", "series", "sin", "thin"}
    unseen = {name.split(".")[-1] for name in CALLED.keys() - compared}
    within_others |= {"_add_pairs", "_add_squares", "_add_up", "_count_lost", "_largest", "_largest_error"}
    within_others |= {"_carry", "_round", "_turn"}
    assert unseen <= within_others | {"arccos", "total", "within"}


@pytest.mark.parametrize(
    "line",
    [
        "\tvfmadd213ss\t%xmm2, %xmm1, %xmm0",
        "vfnmadd231ps (%rax), %ymm1, %ymm0",
        "fmla v0.4s, v1.4s, v2.4s",
        "fmadd s0, s1",
    ],
)
def test_fused_operations_would_be_found(line: str) -> None:
    assert faults(line)


@numba.njit
def _calls_sin(x: float) -> float:
    return math.sin(x)


@numba.njit
def _calls_pow(x: float, y: float) -> float:
    return x**y


@pytest.mark.parametrize(("function", "arguments"), [(_calls_sin, (0.5,)), (_calls_pow, (0.5, 0.3))])
def test_library_calls_would_be_found(function: Any, arguments: tuple[float, ...]) -> None:
    function(*arguments)
    assert faults(assembly(function))
