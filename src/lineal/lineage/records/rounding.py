"""What rounding cost the weights of a tensor: sums, from which every figure of a quantization's report follows."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from decimal import Context, Decimal
from typing import final

from lineal.derivation.canonical import Json

_DECIBELS = Context(prec=20)
_SHOWN = Decimal("0.0001")
_MOST = 1e300
"""Above what any sum of squares of float32 can be; infinities and what is no number are not below."""


@final
@dataclass(frozen=True)
class Rounding:
    """squares: of the weights; squared_error: of their errors; outliers: weights above six times the root mean square
    of the 4,096 around them; shifted_blocks: those whose errors' squares come to as much as their weights', or more;
    nonfinite: weights that are infinite or no number, which nothing else counts; weights: how many there are, where
    several tensors hold them, 0 where a tensor of their own does.
    """

    squares: float = 0.0
    squared_error: float = 0.0
    largest_error: float = 0.0
    outliers: int = 0
    shifted_blocks: int = 0
    nonfinite: int = 0
    weights: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            kinds = (float, int) if type(getattr(Rounding, name)) is float else (int,)
            if type(value) not in kinds or not 0 <= value <= _MOST:
                raise ValueError(f"{name} is {str(value)[:40]}, where a {kinds[0].__name__} of at least 0 is needed")

    @property
    def decibels(self) -> float | None:
        """The signal-to-quantization-noise ratio, to 4 decimals, the same on every machine.

        None where either has no squares.
        """
        if not self.squared_error or not self.squares:
            return None
        ratio = _DECIBELS.divide(Decimal(self.squares), Decimal(self.squared_error))
        return float((10 * ratio.log10(_DECIBELS)).quantize(_SHOWN))

    def to_json(self) -> list[Json]:
        figures: list[Json] = list(astuple(self))
        return figures if self.weights else figures[:-1]

    @classmethod
    def from_json(cls, figures: object) -> "Rounding":
        most = len(fields(cls))
        if not isinstance(figures, list) or len(figures) not in (most - 1, most):
            raise ValueError(f"{most - 1} figures of rounding are needed, got {str(figures)[:40]}")
        return cls(*figures)


def combined(parts: Iterable[Rounding]) -> Rounding:
    """Of all parts together, added in their order."""
    found = Rounding()
    for part in parts:
        found = Rounding(
            found.squares + part.squares,
            found.squared_error + part.squared_error,
            max(found.largest_error, part.largest_error),
            found.outliers + part.outliers,
            found.shifted_blocks + part.shifted_blocks,
            found.nonfinite + part.nonfinite,
        )
    return found
