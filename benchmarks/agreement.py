"""How far two merged bfloat16 checkpoints lie apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import decode
from lineal.checkpoint.reader import open_checkpoint

Float32: TypeAlias = NDArray[np.float32]

_WINDOW_ELEMENTS = 1 << 20
_EXPONENT = np.uint32(0x7F800000)
_ULP = np.float32(2**-7)


@final
@dataclass(frozen=True)
class Agreement:
    """Ours against the peer's output, over all elements.

    within_one_ulp: share of elements; largest_ulps: of the largest difference; both in units of bfloat16's last place
    at the parent's or the results' magnitude, whichever is largest, as sums that cancel have no better.
    size_ratio: our root mean square change from the parent, in the peer's.
    """

    within_one_ulp: float
    largest_ulps: float
    size_ratio: float


def agreement(ours: Path, peer: Path, parent: Path) -> Agreement:
    """Compare two outputs, with a parent that both come from; a RuntimeError if they are not of one shape."""
    elements = within = 0
    largest, our_square, peer_square = 0.0, 0.0, 0.0
    for first, second, origin in _windows(ours, peer, parent):
        magnitude = np.maximum(np.maximum(np.abs(first), np.abs(second)), np.abs(origin))
        ulp = (magnitude.view(np.uint32) & _EXPONENT).view(np.float32) * _ULP
        apart = np.abs(first - second)
        steps = np.divide(apart, ulp, out=np.zeros_like(apart), where=apart > 0)
        elements += steps.size
        within += int(np.count_nonzero(steps <= 1))
        largest = max(largest, float(steps.max()))
        our_square += float(np.square(first - origin, dtype=np.float64).sum())
        peer_square += float(np.square(second - origin, dtype=np.float64).sum())
    return Agreement(within / elements, largest, (our_square / peer_square) ** 0.5)


def _windows(*folders: Path) -> Iterator[list[Float32]]:
    opened = [open_checkpoint(folder) for folder in folders]
    shapes: list[Mapping[str, object]] = [{name: (s.dtype, s.shape) for name, s in c.items()} for c in opened]
    if any(shape != shapes[0] for shape in shapes):
        raise RuntimeError(f"not the same tensors in {', '.join(map(str, folders))}")
    for name in opened[0]:
        stored = [np.frombuffer(checkpoint.read(name), np.uint8) for checkpoint in opened]
        for start in range(0, stored[0].size, 2 * _WINDOW_ELEMENTS):
            yield [_decoded(raw[start : start + 2 * _WINDOW_ELEMENTS]) for raw in stored]


def _decoded(raw: NDArray[np.uint8]) -> Float32:
    values = np.empty(raw.size // 2, np.float32)
    decode(raw, "BF16", values)
    return values
