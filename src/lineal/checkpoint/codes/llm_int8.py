"""LLM.int8: eight-bit codes of a matrix, one scale a row (its largest magnitude, `SCB`), as bitsandbytes stores them.

Source: Dettmers et al. 2022, "LLM.int8()", section 2; what bitsandbytes 0.50 writes and reads on a CPU.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.ggml.rounding import nearest
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Int8Rows, Uint32Rows

Float32: TypeAlias = NDArray[np.float32]
Int8: TypeAlias = NDArray[np.int8]

STEP = np.float32(7.874015718698502e-3)
"""A 127th, as bitsandbytes has it."""


def decode(codes: Int8, largest: Float32, out: Float32) -> None:
    """Write the values of whole rows, [rows, columns]; largest: one a row."""
    np.multiply(codes, largest[:, None], out=out, dtype=np.float32)
    np.multiply(out, STEP, out=out)


def encode(values: Float32, codes: Int8, largest: Float32) -> None:
    """Write the codes and largest magnitudes of whole rows, [rows, columns].

    bitsandbytes rounds weights to float16 first, whatever they are, and multiplies them by 127 times the reciprocal of
    the largest: 127 / largest would be another number now and then. values: finite in float16, too.
    """
    rounded = values.astype(np.float16).astype(np.float32)
    _encode(rounded, rounded.view(np.uint32), codes, largest)


@kernel
def _encode(values: Float32Rows, bits: Uint32Rows, codes: Int8Rows, largest: Float32s) -> None:
    """A row of zeros has codes of zero."""
    for r in range(len(values)):
        row, magnitudes, found = values[r], bits[r], codes[r]
        top = np.uint32(0)
        for i in range(row.size):
            top = max(top, np.uint32(magnitudes[i] & np.uint32(0x7FFFFFFF)))
        largest[r] = np.uint32(top).view(np.float32)
        inverse = np.float32(127) * (np.float32(1) / largest[r]) if top else np.float32(0)
        for i in range(row.size):
            found[i] = np.int8(nearest(row[i] * inverse))
