"""Each block type of ggml, one block at a time, as llama.cpp's quantizers build them."""

from typing import Any

import numpy as np

from tests.reference.ggml_arithmetic import FUSED, PLAIN, Arithmetic, F, clamp, half, nearest, of_half
from tests.reference.ggml_searches import (
    affine,
    level_of,
    nonlinear,
    positive,
    refined,
    sum_of_squares,
    summed,
    symmetric,
    weights_of,
)

Importance = Any


def encoded(row: Any, dtype: str, importance: Any = None, fused: bool = False) -> bytes:
    """A row of a matrix in whole blocks."""
    each = 256 if dtype.endswith(("K", "XS")) else 32
    out, whole_row = b"", sum_of_squares(row)
    for first in range(0, row.size, each):
        part = None if importance is None else list(importance[first : first + each])
        spread = whole_row / F(row.size)
        with np.errstate(all="ignore"):
            block = BLOCKS[dtype](list(row[first : first + each]), part, FUSED if fused else PLAIN, spread)
        out += block
    return out


def truncated(value: Any) -> int:
    """What is no number, where a scale is so small that its inverse is none, is 0, as on x86."""
    return int(value) if np.isfinite(value) else 0


def away_from_zero(value: Any) -> int:
    return truncated(np.copysign(np.floor(np.float64(abs(value)) + 0.5), value))


def nibbles(low: list[int], high: list[int]) -> bytes:
    return bytes((a & 15) | (b & 15) << 4 for a, b in zip(low, high, strict=True))


def bit_planes(codes: list[int], bit: int, rows: int) -> bytes:
    """One bit of each code: a byte holds that of the same place in each of eight rows."""
    return bytes(sum((codes[rows * j + i] >> bit & 1) << j for j in range(8)) for i in range(rows))


def fifths(codes: list[int]) -> bytes:
    return sum((c >> 4 & 1) << i for i, c in enumerate(codes)).to_bytes(4, "little")


def q8_0(x: Any, _: Importance, __: Arithmetic, ___: Any) -> bytes:
    scale = max(abs(v) for v in x) / F(127)
    inverse = F(1) / scale if scale else F(0)
    return half(scale) + bytes(away_from_zero(v * inverse) & 255 for v in x)


def by_largest(x: Any, top: int, a: Arithmetic) -> tuple[Any, list[int]]:
    largest = F(0)
    for v in x:
        largest = v if abs(v) > abs(largest) else largest
    scale = largest / F(-top)
    inverse = F(1) / scale if scale else F(0)
    return scale, [min(2 * top - 1, truncated(a.add(v, inverse, top + 0.5))) for v in x]


def by_range(x: Any, top: int, a: Arithmetic) -> tuple[Any, Any, list[int]]:
    low, scale = min(x), (max(x) - min(x)) / F(top)
    inverse = F(1) / scale if scale else F(0)
    return scale, low, [min(top, truncated(a.add(v - low, inverse, 0.5))) for v in x]


def without_low(x: Any, top: int, importance: Importance, a: Arithmetic, spread: Any) -> tuple[bytes, list[int]]:
    if importance is None:
        scale, codes = by_largest(x, top, a)
    else:
        scale, codes = symmetric(x, weights_of(x, importance, spread, a), top, a)
    return half(scale), codes


def with_low(x: Any, top: int, importance: Importance, a: Arithmetic, spread: Any) -> tuple[bytes, list[int]]:
    if importance is None:
        scale, low, codes = by_range(x, top, a)
        return half(scale) + half(low), codes
    scale, low, codes = affine(x, weights_of(x, importance, spread, a), top, -0.9, 0.05, 37, False, a)
    return half(scale) + half(-low), codes


def simple(x: Any, importance: Importance, a: Arithmetic, spread: Any, *, bits: int, low: bool) -> bytes:
    top = (1 << bits) - 1 if low else 1 << (bits - 1)
    scales, codes = (with_low if low else without_low)(x, top, importance, a, spread)
    return scales + (fifths(codes) if bits == 5 else b"") + nibbles(codes[:16], codes[16:])


def of_largest(x: Any, top: int, a: Arithmetic) -> tuple[Any, list[int]]:
    largest = max(F(0), *x)
    inverse = F(top) / largest if largest > 0 else F(0)
    return largest / F(top), [min(top, a.nearest_product(inverse, v) & 255) for v in x]


def affine_rows(
    x: Any, length: int, top: int, plain: Any, importance: Importance, a: Arithmetic, spread: Any
) -> tuple[list[Any], list[Any], list[Any], list[int]]:
    """Of each row of a block scale, smallest value and sum of weights; and all codes."""
    scales, lows, counts, codes = [], [], [], []
    for first in range(0, 256, length):
        row = x[first : first + length]
        if importance is None:
            lift = np.sqrt(sum_of_squares(row) / F(length)) if length == 32 else F(0)
            w = [lift + abs(v) for v in row]
            low, step, tries = plain
            found = affine(row, w, top, low, step, tries, length == 16, a)
        else:
            w = weights_of(row, importance[first : first + length], spread, a)
            found = affine(row, w, top, -0.9, 0.05, 37, False, a)
        scales.append(found[0])
        lows.append(found[1])
        counts.append(summed(w))
        codes += found[2]
    return scales, lows, counts, codes


def scales_of(scales: Any, counts: Any, top: int, importance: Importance, a: Arithmetic) -> tuple[Any, list[int]]:
    return of_largest(scales, top, a) if importance is None else positive(scales, counts, top, a)


def q2_k(x: Any, importance: Importance, a: Arithmetic, _: Any) -> bytes:
    spread = sum_of_squares(x) / F(256)
    scales, lows, counts, codes = affine_rows(x, 16, 3, (-0.5, 0.1, 16), importance, a, spread)
    step, scale_codes = scales_of(scales, counts, 15, importance, a)
    low_step, low_codes = scales_of(lows, counts, 15, importance, a)
    for j in range(16):
        scale = of_half(half(step)) * F(scale_codes[j])
        if scale:
            for i in range(16 * j, 16 * j + 16):
                lifted = a.add(of_half(half(low_step)), low_codes[j], x[i])
                codes[i] = clamp(nearest(lifted / scale), 0, 3)
    return nibbles(scale_codes, low_codes) + two_bits(codes) + half(step) + half(low_step)


def two_bits(codes: list[int]) -> bytes:
    return bytes(
        sum((codes[first + 32 * j + i] & 3) << 2 * j for j in range(4)) for first in (0, 128) for i in range(32)
    )


def q3_k(x: Any, importance: Importance, a: Arithmetic, _: Any) -> bytes:
    rows, spread = [x[i : i + 16] for i in range(0, 256, 16)], F(2) * sum_of_squares(x) / F(256)
    if importance is None:
        found = [refined(row, 4, a) for row in rows]
        scales = [scale for scale, _ in found]
        largest = F(0)
        for s in scales:
            largest = s if abs(s) > abs(largest) else largest
        inverse = F(-32) / largest if largest else F(0)
        step = F(1) / inverse if largest else F(0)
        wrapped = [(a.nearest_product(inverse, s) + 128) % 256 - 128 for s in scales]
        scale_codes = [clamp(c, -32, 31) + 32 if largest else 0 for c in wrapped]
    else:
        weights = [weights_of(row, importance[16 * j : 16 * j + 16], spread, a) for j, row in enumerate(rows)]
        found = [symmetric(row, w, 4, a) for row, w in zip(rows, weights, strict=True)]
        step, scale_codes = symmetric([s for s, _ in found], [summed(w) for w in weights], 32, a)
    codes = [c for _, some in found for c in some]
    for j in range(16):
        scale = of_half(half(step)) * F(scale_codes[j] - 32)
        if scale:
            codes[16 * j : 16 * j + 16] = [clamp(nearest(v / scale), -4, 3) + 4 for v in rows[j]]
    high = bytes(sum((scale_codes[j + 4 * i] >> 4) << 2 * i for i in range(4)) for j in range(4))
    packed = nibbles(scale_codes[:8], scale_codes[8:]) + high
    return bit_planes(codes, 2, 32) + two_bits(codes) + packed + half(step)


def q45_k(x: Any, importance: Importance, a: Arithmetic, _: Any, *, top: int, plain: Any) -> bytes:
    spread = F(2) * sum_of_squares(x) / F(256)
    scales, lows, counts, codes = affine_rows(x, 32, top, plain, importance, a, spread)
    step, scale_codes = scales_of(scales, counts, 63, importance, a)
    low_step, low_codes = scales_of(lows, counts, 63, importance, a)
    for j in range(8):
        scale, low = of_half(half(step)) * F(scale_codes[j]), of_half(half(low_step)) * F(low_codes[j])
        if scale:
            for i in range(32 * j, 32 * j + 32):
                codes[i] = clamp(nearest((x[i] + low) / scale), 0, top)
    packed = [scale_codes[j] | scale_codes[j + 4] >> 4 << 6 for j in range(4)]
    packed += [low_codes[j] | low_codes[j + 4] >> 4 << 6 for j in range(4)]
    scale_bytes = bytes(packed) + nibbles(scale_codes[4:], low_codes[4:])
    low_bits = b"".join(nibbles(codes[i : i + 32], codes[i + 32 : i + 64]) for i in range(0, 256, 64))
    return half(step) + half(low_step) + scale_bytes + (bit_planes(codes, 4, 32) if top == 31 else b"") + low_bits


def q6_k(x: Any, importance: Importance, a: Arithmetic, _: Any) -> bytes:
    rows = [x[i : i + 16] for i in range(0, 256, 16)]
    weights = [[v * v for v in row] for row in rows]
    if importance is not None:
        weights = [importance[i : i + 16] for i in range(0, 256, 16)]
    found = [symmetric(row, w, 32, a) for row, w in zip(rows, weights, strict=True)]
    largest = F(0)
    for s, _ in found:
        largest = s if abs(s) > abs(largest) else largest
    if abs(largest) < F(1e-15):
        return bytes(210)
    inverse = F(-128) / largest
    step = half(F(1) / inverse)
    scales = [(min(127, a.nearest_product(inverse, s)) + 128) % 256 - 128 for s, _ in found]
    codes = [c for _, some in found for c in some]
    for j, row in enumerate(rows):
        scale = of_half(step) * F(scales[j])
        if scale:
            codes[16 * j : 16 * j + 16] = [clamp(nearest(v / scale), -32, 31) + 32 for v in row]
    low = b"".join(nibbles(codes[i : i + 64], codes[i + 64 : i + 128]) for i in (0, 128))
    return low + two_bits([c >> 4 for c in codes]) + bytes(s & 255 for s in scales) + step


def iq4_weights(row: Any, importance: Any, spread: Any, a: Arithmetic) -> Any:
    return [v * v for v in row] if importance is None else weights_of(row, importance, spread, a)


def levels(row: Any, scale: Any) -> bytes:
    inverse = F(1) / scale if scale else F(0)
    codes = [level_of(inverse * v) for v in row]
    return nibbles(codes[:16], codes[16:])


def iq4_nl(x: Any, importance: Importance, a: Arithmetic, _: Any) -> bytes:
    scale = nonlinear(x, iq4_weights(x, importance, sum_of_squares(x) * F(2 / 32), a), a)
    return half(scale) + levels(x, scale)


def iq4_xs(x: Any, importance: Importance, a: Arithmetic, _: Any) -> bytes:
    spread = sum_of_squares(x) * F(2 / 256)
    rows = [x[i : i + 32] for i in range(0, 256, 32)]
    parts = [importance and importance[i : i + 32] for i in range(0, 256, 32)]
    scales = [nonlinear(row, iq4_weights(row, part, spread, a), a) for row, part in zip(rows, parts, strict=True)]
    largest = F(0)
    for s in scales:
        largest = s if abs(s) > abs(largest) else largest
    step = -largest / F(32)
    inverse = F(1) / step if step else F(0)
    wholes = [clamp(a.nearest_product(inverse, s), -32, 31) for s in scales]
    high = sum(((c + 32) >> 4) << 2 * j for j, c in enumerate(wholes)).to_bytes(2, "little")
    low = nibbles([c + 32 for c in wholes[0::2]], [c + 32 for c in wholes[1::2]])
    return half(step) + high + low + b"".join(levels(row, step * F(c)) for row, c in zip(rows, wholes, strict=True))


BLOCKS: dict[str, Any] = {
    "Q8_0": q8_0,
    "Q4_0": lambda *given: simple(*given, bits=4, low=False),
    "Q5_0": lambda *given: simple(*given, bits=5, low=False),
    "Q4_1": lambda *given: simple(*given, bits=4, low=True),
    "Q5_1": lambda *given: simple(*given, bits=5, low=True),
    "Q2_K": q2_k,
    "Q3_K": q3_k,
    "Q4_K": lambda *given: q45_k(*given, top=15, plain=(-1.0, 0.1, 21)),
    "Q5_K": lambda *given: q45_k(*given, top=31, plain=(-0.5, 0.1, 16)),
    "Q6_K": q6_k,
    "IQ4_NL": iq4_nl,
    "IQ4_XS": iq4_xs,
}
