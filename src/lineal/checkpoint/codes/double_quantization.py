"""Double quantization: scales of four-bit blocks as eight-bit codes in blocks of 256, as bitsandbytes does.

A scale is the map's number for its code, times its block's largest magnitude, plus the mean of all scales.

Source: Dettmers et al. 2023, "QLoRA", section 3; Dettmers 2016, "8-Bit Approximations for Parallelism in Deep
Learning", section 2 (the dynamic map); what bitsandbytes 0.50 writes and reads on a CPU.
"""

from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]

NESTED_BLOCK = 256
"""Scales that share one scale."""

_STEPS = 65535
"""A scaled number is rounded to one of as many steps from -1 to 1, and has the code of what it is rounded to."""


class Nested(NamedTuple):
    """Scales as codes. absmax: the largest magnitude of each block of codes; offset: what the codes are around."""

    codes: Raw
    absmax: Float32
    offset: np.float32


@cache
def dynamic_map() -> Float32:
    """The 256 numbers that codes stand for, in their order: 0, 1, and of each decade below, with a sign, twice as many.

    A number of a decade is the middle of two neighbours that divide it evenly. Each operation is rounded to float32,
    but a division point is rounded once.
    """
    numbers = [np.zeros(1, np.float32), np.ones(1, np.float32)]
    low = np.float32(0.1)
    for decade in range(7):
        parts = 2**decade
        step, index = float((np.float32(1) - low) / np.float32(parts)), np.arange(parts + 1)
        is_lower = index < (parts + 1) // 2
        points = np.where(is_lower, float(low) + step * index, 1.0 - step * (parts - index)).astype(np.float32)
        middles = (points[:-1] + points[1:]) / np.float32(2) * np.float32(10.0 ** (decade - 6))
        numbers += [middles, -middles]
    return np.sort(np.concatenate(numbers))


def decode(nested: Nested, numbers: Float32, block: int = NESTED_BLOCK) -> Float32:
    """The scales. numbers: of the 256 codes, as stored; block: codes that share a magnitude."""
    magnitudes = np.repeat(nested.absmax, block)[: nested.codes.size]
    return numbers[nested.codes] * magnitudes + nested.offset


def encode(scales: Float32) -> Nested:
    """Codes of scales. bitsandbytes' offset is torch's sum over their number, which depends on how many threads sum.

    Here it is that of one thread; with more it may differ from 32,768 scales on, in the last bits.
    """
    offset = np.float32(_total(scales) / np.float32(scales.size))
    rest = np.zeros(-(-scales.size // NESTED_BLOCK) * NESTED_BLOCK, np.float32)
    np.subtract(scales, offset, out=rest[: scales.size])
    blocks = rest.reshape(-1, NESTED_BLOCK)
    absmax = abs(blocks).max(axis=1)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        scaled = np.clip(blocks * (np.float32(1) / absmax)[:, None], np.float32(-1), np.float32(1))
    positions = (scaled + np.float32(1)) * np.float32(0.5) * np.float32(_STEPS) + np.float32(0.5)
    codes = _codes_by_step()[np.nan_to_num(positions).astype(np.uint16)]  # a block of zeros has the lowest code
    return Nested(codes.reshape(-1)[: scales.size], absmax, offset)


@cache
def _codes_by_step() -> Raw:
    """The code of the nearest number to each step, of the lower one where two are as near."""
    numbers = dynamic_map()
    middles = np.float32(0.5) * (numbers[:-1] + numbers[1:])
    steps = np.float32(-1) + np.float32(2) * np.arange(_STEPS + 1, dtype=np.float32) / np.float32(_STEPS)
    return np.searchsorted(middles, steps).astype(np.uint8)


@kernel
def _total(values: Float32s) -> np.float32:
    """In the order in which torch adds on one thread: 32 sums side by side, each over runs, runs of runs, and so on."""
    lanes = 8 if values.size >= 8 else 1
    vectors = values.size // lanes
    rows = vectors // 4
    sums = np.zeros((4, 4 * lanes), np.float32)
    _add_rows(values, rows, 4 * lanes, sums)
    for v in range(4 * rows, vectors):
        for i in range(lanes):
            sums[0, i] += values[v * lanes + i]
    total = np.float32(0)
    for i in range(vectors * lanes, values.size):
        total += values[i]
    for i in range(lanes):
        lane = sums[0, i]
        for k in range(1, 4):
            lane += sums[0, k * lanes + i]
        total += lane
    return total


@kernel
def _add_rows(values: Any, rows: Any, width: Any, sums: Any) -> None:
    """Column sums into the first of four levels; a run's length is a power of two, about the fourth root of `rows`."""
    bits = 0
    while (1 << bits) < rows:
        bits += 1
    power = max(4, bits // 4)
    run = 1 << power
    for r in range(rows):
        for i in range(width):
            sums[0, i] += values[r * width + i]
        if (r + 1) % run == 0:
            for level in range(1, 4):
                for i in range(width):
                    sums[level, i] += sums[level - 1, i]
                    sums[level - 1, i] = np.float32(0)
                if (r + 1) & ((run - 1) << (level * power)):
                    break
    for level in range(1, 4):
        for i in range(width):
            sums[0, i] += sums[level, i]
