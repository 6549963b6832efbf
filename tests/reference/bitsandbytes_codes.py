"""bitsandbytes' codes, one value at a time, and inputs that are hard to round. Any dtype's values come as float32."""

from itertools import chain, pairwise
from typing import Any

import numpy as np

from tests.builders import Array

F32 = np.float32
_NF4 = """-1.0 -0.6961928009986877 -0.5250730514526367 -0.39491748809814453 -0.28444138169288635 -0.18477343022823334
-0.09105003625154495 0.0 0.07958029955625534 0.16093020141124725 0.24611230194568634 0.33791524171829224
0.44070982933044434 0.5626170039176941 0.7229568362236023 1.0"""
_FP4 = (0, 1 / 16, 8, 12, 4, 6, 2, 3)


def levels(dtype: str) -> list[np.float32]:
    """The value of each code."""
    if dtype == "nf4":
        return [F32(number) for number in _NF4.split()]
    return [F32(sign * number) / F32(12) for sign in (1, -1) for number in _FP4]


def sample(columns: int, rows: int = 24) -> Array:
    """Random rows of every size, rows of one value, zeros and subnormals, and rows of the middles between levels."""
    random = np.random.default_rng(5)
    values = random.standard_normal((rows, columns)).astype(F32)
    values *= F32(10) ** np.resize(np.arange(-9, 5, dtype=F32), (rows, 1))
    values[1], values[2], values[3], values[4, ::2] = 0, F32(-0.25), F32(1e-40), F32(-0.0)
    middles = [middle for dtype in ("nf4", "fp4") for middle in _middles(dtype)]
    near = [np.nextafter(middle, F32(way)) for middle in middles for way in (-2, 2)]
    for row, scale in ((5, 1.0), (6, 0.5), (7, 3.0), (8, 7e-39)):
        values[row] = np.resize(np.array([*middles, *near], F32) * F32(scale), columns)
        values[row, ::16] = F32(scale)
    return values


def _middles(dtype: str) -> list[np.float32]:
    ordered = sorted(levels(dtype))
    return [(low + high) / F32(2) for low, high in pairwise(ordered)]


def four_bits(values: Array, dtype: str, block: int) -> tuple[list[int], list[np.float32]]:
    """Codes, one each, and the largest magnitude of each block."""
    middles, order = _middles(dtype), sorted(range(16), key=lambda code: levels(dtype)[code])
    codes, scales = [], []
    flat = [F32(value) for value in values.reshape(-1)]
    for start in range(0, len(flat), block):
        some = flat[start : start + block]
        largest = max(abs(value) for value in some)
        divisor = max(largest, F32(1e-38))
        is_whole = len(some) == block
        scales.append(largest if is_whole else divisor)
        scaled = [value * (F32(1) / divisor) if is_whole else value / divisor for value in some]
        codes += [order[sum(value > middle for middle in middles)] for value in scaled]
    return codes, scales


def packed(codes: list[int], dtype: str) -> bytes:
    """Two a byte, the first in the high half; a last one alone stands beside a zero."""
    even = [*codes, *four_bits(np.zeros(1, F32), dtype, 64)[0][: len(codes) % 2]]
    return bytes(16 * high + low for high, low in zip(even[::2], even[1::2], strict=True))


def eight_bits(rows: Array) -> tuple[list[list[int]], list[np.float32]]:
    """LLM.int8's codes of each row, and its largest magnitude."""
    rounded = rows.astype(np.float16).astype(F32)
    scales = [abs(row).max() for row in rounded]
    factors = [F32(1) / scale * F32(127) if scale else F32(0) for scale in scales]
    found = [[round(float(value * factor)) for value in row] for row, factor in zip(rounded, factors, strict=True)]
    return found, scales


def dynamic_map() -> list[float]:
    """The numbers of eight-bit codes, in float64: middles of 2^k even parts of [0.1, 1], a decade lower each."""
    parts = [(decade, part) for decade in range(7) for part in range(2**decade)]
    positive = [(0.1 + 0.9 * (part + 0.5) / 2**decade) * 10.0 ** (decade - 6) for decade, part in parts]
    return sorted(chain(positive, (-number for number in positive), (0.0, 1.0)))


def nested(scales: Any, offset: np.float32, numbers: Array) -> tuple[list[int], list[np.float32]]:
    """The codes of scales around an offset, and the largest magnitude of each 256: nearest to steps of 2 / 65535."""
    codes, largest = [], []
    rest = np.asarray(scales, F32) - offset
    middles = F32(0.5) * (numbers[1:] + numbers[:-1])
    for start in range(0, rest.size, 256):
        some = rest[start : start + 256]
        top = abs(some).max()
        largest.append(top)
        for value in some:
            if not top:
                codes.append(0)
                continue
            step = int((min(F32(1), max(F32(-1), value * (F32(1) / top))) + F32(1)) * F32(0.5) * F32(65535) + F32(0.5))
            at = F32(-1) + F32(2) * F32(step) / F32(65535)
            codes.append(int(sum(middle < at for middle in middles)))
    return codes, largest
