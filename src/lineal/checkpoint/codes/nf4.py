"""NF4 and FP4: four-bit codes of values in blocks of one scale each, as bitsandbytes stores them.

The blocks run over the flattened matrix, whatever its rows are; the last one may be shorter. A byte holds two codes,
the first in its high half. A value is the level of its code, times its block's largest magnitude (`absmax`).

Source: Dettmers et al. 2023, "QLoRA", section 3 and appendix E; what bitsandbytes 0.50 writes and reads on a CPU.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Int32s, Uint8s, Uint32s

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]

BLOCK_SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Values a block, as bitsandbytes allows them."""

_NORMAL = [
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
]
"""Quantiles of the standard normal distribution, scaled to [-1, 1], with an exact zero (QLoRA, appendix E)."""

_TWELFTHS = [0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0]
"""A sign, two bits of exponent, one of mantissa, the exponent's order as bitsandbytes has it; the top one is 1."""

LEVELS = {
    "nf4": np.array(_NORMAL, np.float32),
    "fp4": np.array([*_TWELFTHS, *(-level for level in _TWELFTHS)], np.float32) / np.float32(12) + np.float32(0),
}
"""The value of each code, by the name of the type; the two zeros of fp4 are both positive."""


def decode(codes: Raw, absmax: Float32, dtype: str, block: int, first: int, out: Float32) -> None:
    """Write the values of some elements of a flattened matrix, in float32, as bitsandbytes dequantizes.

    codes: two a byte, of elements from `first` (an even number) on; absmax: of all blocks of the matrix, from the
    first on; dtype: nf4 or fp4; block: values that share one; out: as many values as are wanted.
    """
    _decode(codes, absmax, LEVELS[dtype], block, first, out)


@kernel
def _decode(codes: Uint8s, absmax: Float32s, levels: Float32s, block: int, first: int, out: Float32s) -> None:
    done = 0
    while done < out.size:
        b = (first + done) // block
        scale, end = absmax[b], min(out.size, (b + 1) * block - first)
        for i in range(done // 2, end // 2):
            out[2 * i] = levels[codes[i] >> np.uint8(4)] * scale
            out[2 * i + 1] = levels[codes[i] & np.uint8(15)] * scale
        if end % 2:  # of the last block alone: all others are even
            out[end - 1] = levels[codes[end // 2] >> np.uint8(4)] * scale
        done = end


def encode(values: Float32, dtype: str, block: int, codes: Raw, absmax: Float32) -> None:
    """Write the codes and largest magnitudes of whole blocks; of the matrix's last values, of a shorter one at the end.

    A code is that of the nearest level, of the lower one where two are as near, by what bitsandbytes computes: a value
    times its block's reciprocal. values: finite, in float32, as every source dtype is; codes: two a byte; absmax: one
    a block.
    """
    order, bounds = _SEARCHED[dtype]
    full = values.size // block * block
    whole = values[:full]
    steps = np.diff(order, prepend=np.int32(0))
    largest_magnitudes(whole, block, absmax[: full // block])
    _encode(whole, block, steps, bounds, absmax[: full // block], codes)
    if full < values.size:  # the last block's values are divided instead, and its scale never is too small
        last = values[full:]
        absmax[-1] = largest = max(abs(last).max(), _SMALLEST)
        found = order[np.searchsorted(bounds, np.append(last / largest, np.float32(0)))]
        codes[full // 2 :] = found[0 : last.size : 2] << 4 | found[1 : last.size + 1 : 2]


def largest_magnitudes(values: Float32, block: int, absmax: Float32) -> None:
    """Of whole blocks; as bits, so that many are compared at a time. One that is not finite is the largest."""
    _largest(values.view(np.uint32), block, absmax.view(np.uint32))


def _searched(levels: Float32) -> tuple[NDArray[np.int32], Float32]:
    """The codes in the order of their levels, and what lies in the middle between two."""
    order = np.argsort(levels, kind="stable").astype(np.int32)
    ordered = levels[order]
    return order, (ordered[:-1] + ordered[1:]) / np.float32(2)


_SEARCHED = {name: _searched(levels) for name, levels in LEVELS.items()}
_SMALLEST = np.float32(1e-38)
"""Blocks of smaller magnitudes are scaled by it."""


@kernel
def _largest(bits: Uint32s, block: int, absmax: Uint32s) -> None:
    for b in range(absmax.size):
        some, largest = bits[b * block : (b + 1) * block], np.uint32(0)
        for i in range(block):
            largest = max(largest, np.uint32(some[i] & np.uint32(0x7FFFFFFF)))
        absmax[b] = largest


@kernel
def _encode(values: Float32s, block: int, steps: Int32s, bounds: Float32s, absmax: Float32s, codes: Uint8s) -> None:
    """Every value is compared with every bound, many at a time. steps: from a level's code to the next one's."""
    scaled, found = np.empty(block, np.float32), np.empty(block, np.int32)
    for b in range(absmax.size):
        some, packed = values[b * block : (b + 1) * block], codes[b * block // 2 : (b + 1) * block // 2]
        inverse = np.float32(1) / max(absmax[b], _SMALLEST)
        for i in range(found.size):
            scaled[i] = some[i] * inverse
            found[i] = steps[0]
        for k in range(15):
            bound, step = bounds[k], steps[k + 1]
            for i in range(found.size):
                found[i] += step if scaled[i] > bound else np.int32(0)
        for i in range(packed.size):
            packed[i] = np.uint8(np.int32(found[2 * i] << np.int32(4)) | found[2 * i + 1])
