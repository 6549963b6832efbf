"""Whether a change may be of low rank, by windows alone: whole matrices need be read only then."""

import math

import numpy as np

from lineal.engines.compare.kinship.windows import Windows

SMALL = 4
"""A low rank goes into the smaller side of a matrix, or of a window of one, at least so many times."""

_ABOVE_ROUNDING = 3


def may_be_low(child: Windows, known: Windows, rounding: float) -> bool:
    """Whether every window that changed did so in a few directions only, as far as rounding lets them be seen.

    rounding: the largest relative error of storing an entry; noise of that size has singular values up to about
    (sqrt(rows) + sqrt(columns)) times as large.
    """
    changed = False
    for name, theirs in known.items():
        mine = child[name][: len(theirs)]
        change = mine.astype(np.float64) - theirs[: len(mine)]
        if not change.any():
            continue
        changed = True
        rows, columns = change.shape
        values = np.linalg.svd(change, compute_uv=False)
        noise = rounding * math.sqrt(float(np.mean(np.square(mine, dtype=np.float64))))
        floor = max(_ABOVE_ROUNDING * noise * (math.sqrt(rows) + math.sqrt(columns)), 1e-7 * float(values[0]))
        if SMALL * np.count_nonzero(values > floor) > min(rows, columns):
            return False
    return changed
