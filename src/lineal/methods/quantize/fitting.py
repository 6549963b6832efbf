"""Types for tensors that lose as little as possible and take no more than so many bytes."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Float64s

CANDIDATES = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "F16")
"""What a tensor may become, the smallest first."""


@final
@dataclass(frozen=True)
class Option:
    """One type that a tensor may have: what it takes, and what rounding to it loses."""

    kind: str
    size: int
    loss: float


def fitted(
    options: Mapping[str, Sequence[Option]], most: int, begun: Mapping[str, str] | None = None, beside: int = 0
) -> dict[str, str]:
    """A type for each tensor, all of which together take at most so many bytes.

    options: the smallest first; a tensor of one option keeps it. begun: types to begin with, by default the smallest.
    beside: bytes that are no tensor's, told with the others where it does not fit.
    Where what is begun with is too large, the tensor that loses least for each byte goes down first; then, while there
    is room, the one that gains most for each byte goes up. Equal ones in their order. Raises MethodError where even
    the smallest types are too large.
    """
    fit = _Fit(options, begun or {})
    least = sum(kinds[0].size for kinds in options.values())
    if least > most:
        asked, needed = most + beside, least + beside
        raise MethodError(f"gguf: {asked:,} bytes are too few; the smallest that there is takes {needed:,}")
    fit.shrink(most)
    fit.grow(most)
    return {name: options[name][place].kind for name, place in fit.places.items()}


@final
class _Fit:
    """Where each tensor stands among its options, and what they take together."""

    def __init__(self, options: Mapping[str, Sequence[Option]], begun: Mapping[str, str]) -> None:
        self._options, self._numbers = options, {name: number for number, name in enumerate(options)}
        self.places = {name: _place(kinds, begun.get(name)) for name, kinds in options.items()}
        self.size = sum(options[name][place].size for name, place in self.places.items())

    def shrink(self, most: int) -> None:
        """Go down, the cheapest step first, until everything fits."""
        waiting = _heap(self._down(name) for name in self._options)
        while self.size > most:
            _, _, name, place = heapq.heappop(waiting)
            self._go(name, place)
            _push(waiting, self._down(name))

    def grow(self, most: int) -> None:
        """Go up, the best step first, as long as there is one that fits."""
        waiting = _heap(self._up(name, most - self.size) for name in self._options)
        while waiting:
            _, _, name, place = heapq.heappop(waiting)
            if self.size + self._larger(name, place) <= most:
                self._go(name, place)
            _push(waiting, self._up(name, most - self.size))

    def _larger(self, name: str, place: int) -> int:
        return self._options[name][place].size - self._options[name][self.places[name]].size

    def _go(self, name: str, place: int) -> None:
        self.size += self._larger(name, place)
        self.places[name] = place

    def _down(self, name: str) -> "_Step | None":
        kinds, here = self._options[name], self.places[name]
        steps = [
            ((kinds[place].loss - kinds[here].loss) / -self._larger(name, place), self._numbers[name], name, place)
            for place in range(here)
        ]
        return min(steps, default=None)

    def _up(self, name: str, room: int) -> "_Step | None":
        kinds, here = self._options[name], self.places[name]
        steps = [
            ((kinds[place].loss - kinds[here].loss) / self._larger(name, place), self._numbers[name], name, place)
            for place in range(here + 1, len(kinds))
            if self._larger(name, place) <= room and kinds[place].loss < kinds[here].loss
        ]
        return min(steps, default=None)


_Step = tuple[float, int, str, int]
"""The change of loss for each byte, the tensor's number and name, and where it would stand."""


def _place(kinds: Sequence[Option], kind: str | None) -> int:
    return next((place for place, option in enumerate(kinds) if option.kind == kind), 0)


def _heap(steps: Iterable[_Step | None]) -> list[_Step]:
    found = [step for step in steps if step is not None]
    heapq.heapify(found)
    return found


def _push(waiting: list[_Step], step: _Step | None) -> None:
    if step is not None:
        heapq.heappush(waiting, step)


def assumed_loss(size: int, elements: int) -> float:
    """What rounding loses as a rule, before anything is measured: a quarter of it is left with each bit more."""
    return elements * 0.25 ** (8 * size / elements)


@kernel
def squared_error(values: Float32s, rounded: Float32s, weights: Float32s, sums: Float64s) -> None:
    """Add to sums: the squares of what rounding changed, and those of the values; weights: of a row's columns."""
    columns = weights.size
    error, energy = sums[0], sums[1]
    for row in range(values.size // columns):
        for column in range(columns):
            weight = float(weights[column])
            value = float(values[row * columns + column])
            left = value - float(rounded[row * columns + column])
            error += weight * (left * left)
            energy += weight * (value * value)
    sums[0], sums[1] = error, energy
