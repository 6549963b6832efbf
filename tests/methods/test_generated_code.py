"""The machine code of every kernel: one IEEE operation for each one written, and no library that rounds its own way."""

import importlib
import math
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import lineal.checkpoint
import lineal.methods
import lineal.randomness
from lineal.checkpoint import scaled
from lineal.checkpoint.codes.dtypes import FLOATS, decode, encode, first_nonfinite
from lineal.checkpoint.codes.ggml_blocks import BLOCK_CODECS, BLOCK_DECODERS, float16_bits, float16_value
from lineal.checkpoint.headers.storage import byte_length
from lineal.methods.merge.adapter import add_low_rank
from lineal.methods.selection import magnitude_ranges
from lineal.randomness import uniforms
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


KERNELS: dict[str, Any] = {
    f"{value.py_func.__module__}.{value.py_func.__name__}": value
    for module in modules()
    for value in vars(module).values()
    if isinstance(value, Dispatcher)
}


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Run everything once, so that each kernel knows the types that it is called with."""
    ones = np.ones((5, 7), np.float32)
    for example in (*MERGES, *PRUNINGS):
        example.method([ones] * example.models, base=ones if example.has_base else None)
    for dtype in FLOATS:
        raw = np.empty(8 * 8, np.uint8)[: 8 * {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}.get(dtype, 1)]
        encode(np.ones(8, np.float32), dtype, raw)
        decode(raw, dtype, np.empty(8, np.float32))
        first_nonfinite(np.full(8, np.nan, np.float32), dtype)
    encode(np.full(8, np.nan, np.float32), "BF16", np.empty(16, np.uint8))
    for dtype in BLOCK_CODECS:
        encode(np.ones(32, np.float32), dtype, np.empty(byte_length(dtype, 32), np.uint8))
    for dtype in BLOCK_DECODERS:
        decode(np.zeros(byte_length(dtype, 32), np.uint8), dtype, np.empty(32, np.float32))
    float16_bits(np.float32(1))
    float16_value(np.uint32(0x3C00))
    add_low_rank(np.ones(6, np.float32), 0, np.ones((2, 2), np.float32), np.ones((2, 3), np.float32))
    scaled._multiply(np.ones(6, np.float32), 0, 3, 1, 3, np.ones(2, np.float32))
    magnitude_ranges._count_within(np.empty(0, np.float32), np.ones(6, np.float32), np.uint32(0), np.zeros(4, np.int32))
    uniforms(1, "w", 0, 0, 9)
    unknown: list[Any] = []
    while unknown != (unknown := [kernel for kernel in KERNELS.values() if not kernel.signatures]):
        for kernel in KERNELS.values():  # one that only others call gets its types when those are compiled anew
            for signature in kernel.signatures:
                assembly(kernel, signature)


@cache
def assembly(kernel: Any, signature: Any) -> str:
    """What a kernel compiles to on this machine; compiled anew, for a cached one has no text."""
    fresh = numba.jit(signature, **kernel.targetoptions)(kernel.py_func)
    return "\n".join(fresh.inspect_asm().values())


def faults(text: str) -> list[str]:
    """Fused operations and calls into mathematical libraries."""
    called = {name for name in REFERENCES.findall(text) if LIBRARY.fullmatch(name)}
    return sorted({match[0] for match in FUSED.finditer(text)} | called)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_has_no_fused_operations_and_calls_no_library(name: str) -> None:
    kernel = KERNELS[name]
    assert not kernel.targetoptions.get("fastmath", False)
    assert kernel.signatures
    for signature in kernel.signatures:
        text = assembly(kernel, signature)
        assert "ret" in text
        assert faults(text) == []


def test_all_kernels_are_looked_at() -> None:
    assert len(KERNELS) >= 16
    assert {"lineal.randomness._philox", "lineal.methods.merge.adapter.add_low_rank"} <= KERNELS.keys()
    assert sum(name.startswith("lineal.checkpoint.codes.ggml_blocks.") for name in KERNELS) == 7


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
    assert faults(assembly(function, function.signatures[0]))
