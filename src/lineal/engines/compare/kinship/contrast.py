"""What two models' windows say of each other: sums over all matrices looked at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import FLOATS, decode, encode
from lineal.checkpoint.codes.ggml import BLOCK_CODECS
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.engines.compare.kinship.grid import Grid, grid_of
from lineal.engines.compare.kinship.independence import Agreement, agreement
from lineal.engines.compare.kinship.windows import Windows

MOST = 0.999
"""Of entries, where a few may differ: values that rounding takes the other way."""

_ALIKE = frozenset({"Q8_0"})
"""Types to which there is one way to round, whoever does it, with an importance matrix or without."""

_HALF_A_STEP = 0.51
"""Of a grid: as far as rounding to nearest moves a value, and what storing it adds."""


@final
@dataclass(frozen=True)
class Sampled:
    """A model's windows, how each is stored, and which grid it lies on, if it does."""

    windows: Windows
    dtypes: Mapping[str, str]
    grids: Mapping[str, Grid | None] = field(default_factory=dict[str, Grid | None])


def sampled(windows: Windows, dtypes: Mapping[str, str]) -> Sampled:
    return Sampled(windows, dtypes, {name: grid_of(window) for name, window in windows.items()})


@final
@dataclass(frozen=True)
class Contrast:
    """Of a child c and a known model p, entry by entry: counts, sums of squares and products. They can be added.

    zeroed: entries that are 0 in c alone; kept_squares: of c - p where c is not 0. rounded: entries of c that are p's
    as the child's dtype holds them; retyped: entries whose dtypes differ. on_grid, near_grid: entries of c on a grid;
    those of them within half a step of p. `*_back`: the same with the two in each other's place; refuted_back: entries
    of p in blocks that everyone makes alike, where those made of c are others.
    """

    agreements: tuple[Agreement, ...] = ()
    schemes: tuple[str, ...] = ()
    elements: int = 0
    equal: int = 0
    child_squares: float = 0.0
    known_squares: float = 0.0
    products: float = 0.0
    change_squares: float = 0.0
    zeroed: int = 0
    zeroed_back: int = 0
    kept_squares: float = 0.0
    kept_squares_back: float = 0.0
    rounded: int = 0
    rounded_back: int = 0
    retyped: int = 0
    on_grid: int = 0
    near_grid: int = 0
    on_grid_back: int = 0
    refuted_back: int = 0

    def __add__(self, other: "Contrast") -> "Contrast":
        return Contrast(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def relative(self) -> float:
        """The change's norm over the known model's."""
        return math.sqrt(self.change_squares / self.known_squares) if self.known_squares else math.inf


def contrast(child: Sampled, known: Sampled) -> Contrast:
    """Over the matrices that both were looked at in, on the rows that both have."""
    return sum((_part(child, known, name) for name in known.windows if name in child.windows), start=Contrast())


def _part(child: Sampled, known: Sampled, name: str) -> Contrast:
    rows = min(len(child.windows[name]), len(known.windows[name]))
    mine, theirs = child.windows[name][:rows], known.windows[name][:rows]
    c, p = mine.astype(np.float64), theirs.astype(np.float64)
    change = c - p
    rounded, back = as_stored(theirs, child.dtypes[name]), as_stored(mine, known.dtypes[name])
    grid = child.grids.get(name)
    return Contrast(
        agreements=(agreement(mine, theirs),),
        schemes=() if grid is None else (grid.scheme,),
        elements=c.size,
        equal=_count(change == 0),
        child_squares=float(np.vdot(c, c)),
        known_squares=float(np.vdot(p, p)),
        products=float(np.vdot(c, p)),
        change_squares=float(np.vdot(change, change)),
        zeroed=_count((c == 0) & (p != 0)),
        zeroed_back=_count((p == 0) & (c != 0)),
        kept_squares=float(np.sum(change[c != 0] ** 2)),
        kept_squares_back=float(np.sum(change[p != 0] ** 2)),
        rounded=0 if rounded is None else _count(rounded == mine),
        rounded_back=0 if back is None else _count(back == theirs),
        retyped=0 if child.dtypes[name] == known.dtypes[name] else c.size,
        on_grid=0 if grid is None else c.size,
        near_grid=0 if grid is None else _count(np.abs(change) <= _HALF_A_STEP * grid.steps[:rows]),
        on_grid_back=0 if known.grids.get(name) is None else c.size,
        refuted_back=c.size if known.dtypes[name] in _ALIKE and not _is_mostly(back, theirs) else 0,
    )


def _count(found: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(found))


def _is_mostly(found: NDArray[np.float32] | None, values: NDArray[np.float32]) -> bool:
    return found is not None and _count(found == values) >= MOST * values.size


def as_stored(values: NDArray[np.float32], dtype: str) -> NDArray[np.float32] | None:
    """Values as a dtype holds them; None where lineal does not write that type, or rows are not whole blocks."""
    known = dtype in FLOATS or dtype in BLOCK_CODECS
    if not known or (dtype in BLOCKS and values.shape[-1] % BLOCKS[dtype][0]):
        return None
    flat = np.ascontiguousarray(values).reshape(-1)
    raw, out = np.empty(byte_length(dtype, flat.size), np.uint8), np.empty(flat.size, np.float32)
    _ = encode(flat, dtype, raw)
    _ = decode(raw, dtype, out)
    return out.reshape(values.shape)
