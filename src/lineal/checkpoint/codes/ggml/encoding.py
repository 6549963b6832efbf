"""How values become blocks, beside their type."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, eq=False)
class Encoding:
    """importance: one weight a column of the rows that are encoded, which then are whole rows; None: all count alike.

    fused: as a build of llama.cpp rounds that fuses multiplications with additions.
    """

    importance: NDArray[np.float32] | None = None
    fused: bool = False


PLAIN = Encoding()
