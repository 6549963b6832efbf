"""NF4 and FP4: four-bit codes of values in blocks of one scale each, as bitsandbytes stores them.

The blocks run over the flattened matrix, whatever its rows are; the last one may be shorter. A byte holds two codes,
the first in its high half. A value is the level of its code, times its block's largest magnitude (`absmax`).

Source: Dettmers et al. 2023, "QLoRA", section 3 and appendix E; what bitsandbytes 0.50 writes and reads on a CPU.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Uint8s

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
