"""Task vectors of which only a selection remains."""

import numpy as np

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint32Rows
from lineal.methods.selection.entries import CutPairs, Cuts, thin, within
from lineal.methods.streaming import Block


def trim(block: Block, cuts: Cuts) -> None:
    """Turn models into task vectors, in place: what is not selected is 0. Blocks come in index order."""
    _trim(block.base, block.models, block.models.view(np.uint32), cuts)


@kernel
def _trim(base: Float32s, models: Float32Rows, bits: Uint32Rows, cuts: CutPairs) -> None:
    """bits: of the models, the same memory; the first loop does without, or it would not become vector code."""
    for m in range(len(models)):
        low, high = cuts[m, 0].bits, cuts[m, 1].bits
        for i in range(base.size):
            vector = np.float32(models[m, i] - base[i])
            models[m, i] = vector if within(vector.view(np.uint32), low, high) else np.float32(0)
        thin(bits[m], cuts[m], bits[m])
