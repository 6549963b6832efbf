"""Five seeds, and what is said of a figure that depends on one.

A seed chooses everything that chance decides in a measured step: the sample of calibration text, the first values of
what is trained, and the order of the data. The model that is measured on stays the same.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

SEEDS = (1, 2, 3, 4, 5)


@final
@dataclass(frozen=True)
class Spread:
    """A figure over seeds: its mean, its standard deviation (of a sample), the least and the most."""

    mean: float
    deviation: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.deviation:.2g}"


def spread(figures: Sequence[float]) -> Spread:
    """Of one figure, a seed each; of what no seed changes a single one is enough."""
    deviation = statistics.stdev(figures) if len(figures) > 1 else 0.0
    return Spread(statistics.fmean(figures), deviation, min(figures), max(figures))


def wins(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """In how many seeds ours is the smaller, seed by seed."""
    return f"{sum(one < other for one, other in zip(ours, theirs, strict=True))} of {len(ours)}"
