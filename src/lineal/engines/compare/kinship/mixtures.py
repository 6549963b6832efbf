"""Whether weights are a combination of several known models: as a whole, or entry by entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.engines.compare.kinship.windows import Windows

Float64: TypeAlias = NDArray[np.float64]

MOST_MODELS = 4
"""A base and three models; or four of which none is the base."""

_ENTRIES = 1 << 18
"""At most so many are looked at."""

_LEFT = 0.25
"""Of the nearest single model's residual, at most so much may be left by a combination. A fine-tune whose change
resembles that of another model by a correlation r would leave 1 - r^2: it would have to be 0.87."""

_MORE = 0.1
"""A further model must leave so little of what is left without it."""

_NOTHING = 4
"""Times what rounding leaves: no more can be told apart."""

_LEAST_WEIGHT, _MOST_WEIGHT = 0.02, 1.5
_REVERTED = 0.02
"""Share of entries that all models changed and the child has as the base: no training puts them back."""

_FEWEST_MASKED = 2
"""With fewer, a fine-tune that left most entries alone looks the same."""

_ON_CHANGED = 0.25
"""Share of what the child changed that its models' changes must explain, where masks were drawn."""

_BETWEEN, _MOSTLY = 0.999, 0.98
"""Shares of entries that stand between those of two models: almost, where rounding blurs it, and strictly."""


@final
@dataclass(frozen=True)
class Mixture:
    """models: places among those asked about; base: the one that the others' changes were added to, if one was.

    weights: of each model, on average over the tensors; left: the share of the child's squares that is not explained.
    How the entries are combined: `weighted` all alike, `masked` some of them, `between` entry by entry.
    """

    models: tuple[int, ...]
    base: int | None
    weights: tuple[float, ...]
    left: float
    form: str


@final
@dataclass(frozen=True)
class _Rows:
    """Some entries of the child, those of every model [models, entries], and where each tensor begins."""

    child: Float64
    models: Float64
    starts: tuple[int, ...]

    @cached_property
    def returned(self) -> tuple[float, ...]:
        """The share of entries in which the child is each model, exactly: of the tensor in the middle."""
        shares = [[float((self.child[s] == model[s]).mean()) for s in self.stretches()] for model in self.models]
        return tuple(float(np.median(share)) for share in shares)

    @cached_property
    def products(self) -> Float64:
        """Inner products [tensors, models + 1, models + 1] of all, the child last, as changes from the first model."""
        changes = np.concatenate([self.models, self.child[None]]) - self.models[0]
        return np.stack([changes[:, stretch] @ changes[:, stretch].T for stretch in self.stretches()])

    def stretches(self) -> Iterator[slice]:
        return (slice(a, b) for a, b in zip(self.starts, (*self.starts[1:], self.child.size), strict=True))


def find_mixture(child: Windows, models: Sequence[Windows], rounding: float) -> Mixture | None:
    """The combination of the fewest models that explains far more than any fewer; None where none does.

    rounding: the largest relative error of storing the child's entries.
    """
    rows = _rows(child, models)
    if rows is None:
        return None
    squares = float(np.vdot(rows.child, rows.child))
    alone = min(float(np.sum((rows.child - model) ** 2)) for model in rows.models)
    floor = float(np.sum((rows.child * rounding) ** 2)) / 3
    best: Mixture | None = None
    for size in range(2, min(MOST_MODELS, len(models)) + 1):
        found = [
            mixture
            for chosen in combinations(range(len(models)), size)
            if (mixture := _combination(rows, chosen, alone, floor, rounding)) is not None
        ]
        least = min(found, key=lambda mixture: mixture.left, default=best)
        if best is None or (least is not None and best.left > _NOTHING * floor and least.left < _MORE * best.left):
            best = least
    return None if best is None else replace(best, left=best.left / squares)


def _combination(rows: _Rows, chosen: tuple[int, ...], alone: float, floor: float, rounding: float) -> Mixture | None:
    """The plainest way in which these models make the child."""
    return _weighted(rows, chosen, alone, floor) or _between(rows, chosen, rounding) or _masked(rows, chosen)


def _rows(child: Windows, models: Sequence[Windows]) -> _Rows | None:
    names = [n for n in child if all(n in model and model[n].shape == child[n].shape for model in models)]
    if not names or not models:
        return None
    most = max(1, _ENTRIES // len(names))

    def entries(windows: Windows, name: str) -> Float64:
        flat = windows[name].reshape(-1)
        return flat[:: -(-flat.size // most)].astype(np.float64)

    parts = {name: entries(child, name) for name in names}
    starts = np.cumsum([0, *(part.size for part in parts.values())])[:-1]
    stacked = np.stack([np.concatenate([entries(model, name) for name in names]) for model in models])
    return _Rows(np.concatenate(list(parts.values())), stacked, tuple(int(start) for start in starts))


def _weighted(rows: _Rows, chosen: tuple[int, ...], alone: float, floor: float) -> Mixture | None:
    """Weights that sum to 1, each tensor's own: linear and spherical merges, and sums of task vectors."""
    first, places = chosen[0], [*chosen[1:], len(rows.models)]
    left, weights = 0.0, np.zeros(len(chosen))
    for stretch, every in zip(rows.stretches(), rows.products, strict=True):
        products = (
            every[np.ix_(places, places)] - every[places, first][:, None] - every[first, places] + every[first, first]
        )
        found, residual = _least_squares(products)
        left += residual
        weights += (stretch.stop - stretch.start) / rows.child.size * np.array([1 - found.sum(), *found])
    if left > _LEFT * (alone - _NOTHING * floor):
        return None
    negative = [place for place, weight in enumerate(weights) if weight < _LEAST_WEIGHT]
    if len(negative) > (1 if len(chosen) > 2 else 0) or weights.max() > _MOST_WEIGHT:
        return None  # only a base may be taken away: the rest, a model that stands between the child and another
    base = chosen[negative[0]] if negative else None
    return Mixture(chosen, base, tuple(float(weight) for weight in weights), left, "weighted")


def _between(rows: _Rows, chosen: tuple[int, ...], rounding: float) -> Mixture | None:
    """Every entry between those of two models, and not all at the same place: nearswap, arcee_fusion."""
    if len(chosen) != 2:
        return None
    one, other = rows.models[list(chosen)]
    slack = 2 * rounding * np.abs(rows.child)
    apart = np.abs(one - other) > 4 * slack
    moved = [apart & (np.abs(rows.child - model) > slack) for model in (one, other)]
    if not apart.any() or min(np.count_nonzero(m) for m in moved) < _REVERTED * np.count_nonzero(apart):
        return None
    either = moved[0] | moved[1]
    place = (rows.child - one)[either] / (other - one)[either]
    if (np.abs(place - 0.5) <= 0.75).mean() < _BETWEEN or (np.abs(place - 0.5) <= 0.5 + 1e-3).mean() < _MOSTLY:
        return None
    share = float(np.clip(place, 0, 1).mean())
    nearest = one + np.clip((rows.child - one) / np.where(one == other, 1.0, other - one), 0, 1) * (other - one)
    return Mixture(chosen, None, (1 - share, share), float(np.sum((rows.child - nearest) ** 2)), "between")


def _masked(rows: _Rows, chosen: tuple[int, ...]) -> Mixture | None:
    """A base to which parts of the others' changes were added (TIES, DARE, DELLA): some entries went back to it.

    The base is that of all models which most entries are of.
    """
    base = max(range(len(rows.models)), key=lambda model: rows.returned[model])
    others = [model for model in chosen if model != base]
    if base not in chosen or len(others) < _FEWEST_MASKED or not rows.returned[base]:
        return None
    changes, change = rows.models[others] - rows.models[base], rows.child - rows.models[base]
    total = float(np.vdot(change, change))
    if not total or _reverted(rows, changes, change) < _REVERTED:
        return None
    moved = change != 0
    stacked = np.concatenate([changes[:, moved], change[None, moved]])
    found, residual = _least_squares(stacked @ stacked.T)
    if found.min() < _LEAST_WEIGHT or residual > (1 - _ON_CHANGED) * total:
        return None
    weights = (1 - float(found.sum()), *(float(weight) for weight in found))
    return Mixture((base, *others), base, weights, residual, "masked")


def _reverted(rows: _Rows, changes: Float64, change: Float64) -> float:
    """The share of entries that every model changed and the child did not: of the tensor in the middle.

    A mask is drawn in every tensor; a fine-tune leaves rows of an embedding, where a text lacks the tokens.
    """
    shares: list[float] = []
    for stretch in rows.stretches():
        changed = (changes[:, stretch] != 0).all(axis=0)
        shares.append(float((change[stretch][changed] == 0).mean()) if changed.any() else 0.0)
    return float(np.median(shares))


def _least_squares(products: Float64) -> tuple[Float64, float]:
    """The weights of changes that explain most of the last one, and the squares they leave, by inner products."""
    among, towards = products[:-1, :-1], products[:-1, -1]
    found: Float64 = np.linalg.lstsq(among, towards, rcond=1e-12)[0].astype(np.float64)
    left = float(products[-1, -1] - 2 * found @ towards + found @ among @ found)
    return found, max(0.0, left)
