"""GPTQ: round a weight column by column; what that does to the output, the columns still to come make up for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import gcd
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import Block, Rounded
from lineal.methods.input_statistics import SecondMoment
from lineal.methods.quantize.calibrated_rounding import CalibratedRounding, stages
from lineal.methods.quantize.clipping import ClippingName, check_clipping, clipping_named
from lineal.methods.quantize.feedback import Feedback, Int64, feedback
from lineal.methods.quantize.grid import MIN_MAX, Clipping, Grid, Int8, Scales, fit, from_codes
from lineal.methods.quantize.round_columns import round_columns

_BLOCK = 128
"""Columns that are made up for at once by all that come after them (section 3.3, step 2)."""


@final
@dataclass(frozen=True, kw_only=True)
class Gptq(CalibratedRounding):
    """Round each column so that the layer's output, on the text, is off by as little as the columns after it can help.

    act_order: round columns of the largest inputs first. Scales are then made beforehand, and nothing else is stored
        than without it (what others call static act-order).
    static_groups: make scales beforehand even so; else those of a group are made when its first column is reached.
    clipping: of the ranges that scales are made of: min_max, mse (as `mse` in the paper's code), or percentile:99.9.
    damping: what is added to the diagonal of the inputs' second moment, as a share of its mean.
    """

    name: ClassVar = "gptq"
    paper: ClassVar = "https://arxiv.org/abs/2210.17323"

    act_order: bool = True
    static_groups: bool = False
    clipping: ClippingName = "min_max"
    damping: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.damping < 1:
            raise MethodError(f"gptq: damping must be in [0, 1), got {self.damping}")
        check_clipping(self.name, self.clipping, self.storage)

    def work_on(self, block: Block) -> Iterator[Rounded]:
        clipping = clipping_named(self.clipping, self.name)
        for stage in stages(block.shared_inputs):
            moments = {shared: SecondMoment(shared.columns) for shared in stage}
            block.gather({shared: (moment,) for shared, moment in moments.items()})
            for shared in stage:
                moment = moments.pop(shared).matrix()
                by = feedback(moment, damping=self.damping, act_order=self.act_order, where=shared.layers[0])
                for name in filter(block.is_packed, shared.layers):
                    weight, grid = block.weight(name), self.grid(block.dtype(name))
                    codes, scales = gptq(weight, by, grid, static_groups=self.static_groups, clipping=clipping)
                    yield Rounded(name, codes, scales.scales, scales.zeros, from_codes(codes, scales, grid))


def gptq(
    weight: Float32, by: Feedback, grid: Grid, *, static_groups: bool = False, clipping: Clipping = MIN_MAX
) -> tuple[Int8, Scales]:
    """Codes [rows, columns] of a weight and their scales, in the order of its own columns.

    The scales of a group are made when its first column is reached, of what its columns have become by then. They are
    made beforehand with static_groups, where a row is one group, and where columns are not rounded as they stand.
    Weights of inputs that are always 0 become 0, as they do in the paper's code.
    """
    groups = grid.groups(weight.shape[1])
    size = weight.shape[1] // groups
    given = np.where(by.dead, np.float32(0), weight)
    if static_groups or groups == 1 or not by.is_natural:
        scales, late = fit(given, grid, clipping), None
    else:
        shape = (len(given), groups)
        scales, late = Scales(np.empty(shape, np.float32), np.empty(shape, np.int8)), clipping
    if not by.is_natural:
        given = np.ascontiguousarray(given[:, by.order])
    codes = np.empty(given.shape, np.int8)
    _Rounding(given, given.copy(), by, grid, scales, by.order // size, codes).run(size, late)
    if by.is_natural:
        return codes, scales
    stored = np.empty_like(codes)
    stored[:, by.order] = codes
    return stored, scales


@final
@dataclass(frozen=True, eq=False)
class _Rounding:
    """A weight in the order in which it is rounded. values: what it has become; groups: of each column, its group."""

    given: Float32
    values: Float32
    by: Feedback
    grid: Grid
    scales: Scales
    groups: Int64
    codes: Int8

    def run(self, size: int, late: Clipping | None) -> None:
        """late: how scales are made when their group is reached; None: they are there."""
        columns = self.given.shape[1]
        for start, end in _blocks(columns, size):
            step = end - start if late is None else min(size, end - start)
            moved = [self._part(first, first + step, end, size, late) for first in range(start, end, step)]
            self._carry(np.concatenate(moved, axis=1), start, end, columns)

    def _part(self, start: int, end: int, block_end: int, size: int, late: Clipping | None) -> Float32:
        """Round columns of a block that share scales, or whose scales are there; the rest of the block follows."""
        if late is not None and start % size == 0:
            found = fit(self._as_made_up(start, start + size), replace(self.grid, group=None), late)
            group = start // size
            self.scales.scales[:, group], self.scales.zeros[:, group] = found.scales[:, 0], found.zeros[:, 0]
        moved = self._round(start, end)
        self._carry(moved, start, end, block_end)
        return moved

    def _as_made_up(self, start: int, end: int) -> Float32:
        """The columns as all the error before them would have them if none of them were rounded.

        A column's value takes in the errors before it as if all between were rounded without one. To have them with
        nothing rounded in between, they are solved for: x times the columns' own coefficients is what they have got.
        """
        import torch  # noqa: PLC0415 - options of methods are read where there is no torch

        given, values = (np.ascontiguousarray(one[:, start:end]) for one in (self.given, self.values))
        own = torch.from_numpy(np.ascontiguousarray(self.by.coefficients[start:end, start:end]))
        got = torch.from_numpy(values - given)
        return given + torch.linalg.solve_triangular(own, got, upper=True, left=False, unitriangular=True).numpy()

    def _round(self, start: int, end: int) -> Float32:
        """The columns' codes; what they were less what those stand for. Threads take a part of the rows each."""
        import torch  # noqa: PLC0415 - options of methods are read where there is no torch

        given, values = (np.ascontiguousarray(one[:, start:end]) for one in (self.given, self.values))
        coefficients = np.ascontiguousarray(self.by.coefficients[start:end, start:end])
        codes, moved = np.empty(given.shape, np.int8), np.empty(given.shape, np.float32)

        def run(rows: slice) -> None:
            scales, zeros = self.scales.scales[rows], self.scales.zeros[rows]
            bounds = self.grid.lowest, self.grid.highest
            of = self.groups[start:end]
            round_columns(given[rows], values[rows], coefficients, scales, zeros, of, *bounds, codes[rows], moved[rows])

        threads = torch.get_num_threads()
        share = -(-len(given) // threads)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, (slice(first, first + share) for first in range(0, len(given), share))))
        self.codes[:, start:end] = codes
        return moved

    def _carry(self, moved: Float32, start: int, end: int, until: int) -> None:
        """Add to the columns from end on what these were moved by, each by its coefficients."""
        import torch  # noqa: PLC0415 - options of methods are read where there is no torch

        if end < until:
            coefficients = np.ascontiguousarray(self.by.coefficients[start:end, end:until])
            torch.from_numpy(self.values)[:, end:until].addmm_(torch.from_numpy(moved), torch.from_numpy(coefficients))


def _blocks(columns: int, size: int) -> Iterator[tuple[int, int]]:
    """Starts and ends: about 128 columns that are whole groups, or a whole part of one."""
    step = _BLOCK // size * size if size <= _BLOCK else gcd(size, _BLOCK)
    for start in range(0, columns, step):
        yield start, min(start + step, columns)
