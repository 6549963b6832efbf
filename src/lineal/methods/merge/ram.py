"""RAM: entries that one model alone has changed are kept whole, entries that several have changed are averaged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Int64s
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Emit, Gather, Site, StreamingMethod

_CHUNK = 2048
_PAPER = "https://arxiv.org/abs/2601.13572"


@final
@dataclass(frozen=True, kw_only=True)
class Ram(StreamingMethod):
    """Keep what one model alone has changed, and average what several have changed over those that did.

    epsilon: an entry of a task vector up to this magnitude counts as unchanged.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "ram"
    paper: ClassVar = _PAPER
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        _check_not_negative(self.name, "epsilon", self.epsilon)

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        pass

    def sweeps(self, site: Site) -> Iterator[Emit]:
        epsilon, factors = np.float32(self.epsilon), np.ones(site.models, np.float32)
        yield Emit(lambda block: _merge_changes(block.base, block.models, epsilon, factors, block.out))


@final
@dataclass(frozen=True, kw_only=True)
class RamPlus(StreamingMethod):
    """RAM, but what one model alone has changed is enlarged, by the ratio of its changes that are averaged.

    A model's entries that it alone has changed are multiplied by 1 + r * min(shared / unique, alpha): shared and unique
    count its changes that others have made too and those that none has. They are counted in each tensor (which is what
    tl says: tensor-local), where the paper counts over the whole model.

    epsilon: an entry of a task vector up to this magnitude counts as unchanged.
    r: how strongly the ratio enlarges.
    alpha: the largest ratio that counts.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "ramplus_tl"
    paper: ClassVar = _PAPER
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    epsilon: float = 1e-5
    r: float = 0.1
    alpha: float = 0.2

    def __post_init__(self) -> None:
        _check_not_negative(self.name, "epsilon", self.epsilon)
        _check_not_negative(self.name, "r", self.r)
        _check_not_negative(self.name, "alpha", self.alpha)

    def passes(self, site: Site) -> int:
        return 2

    def check_models(self, count: int) -> None:
        pass

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        epsilon = np.float32(self.epsilon)
        shared, unique = np.zeros(site.models, np.int64), np.zeros(site.models, np.int64)
        yield Gather(lambda block: _count_changes(block.base, block.models, epsilon, shared, unique))
        ratios = np.minimum(shared / np.maximum(unique, 1), self.alpha)  # without unique entries none is enlarged
        factors = (1 + self.r * ratios).astype(np.float32)
        yield Emit(lambda block: _merge_changes(block.base, block.models, epsilon, factors, block.out))


def _check_not_negative(method: str, option: str, value: float) -> None:
    if not value >= 0:
        raise MethodError(f"{method}: {option} must be at least 0, got {value}")


@kernel
def _count_changes(base: Float32s, models: Float32Rows, epsilon: np.float32, shared: Int64s, unique: Int64s) -> None:
    """Add to each model's counts of changes that others have made too, and that it alone has made."""
    changes = np.empty(_CHUNK, np.int32)
    for start in range(0, base.size, _CHUNK):  # each loop below stays in the first-level cache and vectorizes
        origin = base[start : start + _CHUNK]
        changes[:] = 0
        for m in range(len(models)):
            model = models[m, start : start + _CHUNK]
            for i in range(origin.size):
                changes[i] += np.int32(abs(model[i] - origin[i]) > epsilon)
        for m in range(len(models)):
            model = models[m, start : start + _CHUNK]
            both = alone = 0
            for i in range(origin.size):
                changed = abs(model[i] - origin[i]) > epsilon
                both += int(changed and changes[i] > 1)
                alone += int(changed and changes[i] == 1)
            shared[m] += both
            unique[m] += alone


@kernel
def _merge_changes(base: Float32s, models: Float32Rows, epsilon: np.float32, factors: Float32s, out: Float32s) -> None:
    """base + the one change, times its model's factor, or + the mean of the changes."""
    changes, alone = np.empty(_CHUNK, np.float32), np.empty(_CHUNK, np.float32)
    for start in range(0, out.size, _CHUNK):
        origin, total = base[start : start + _CHUNK], out[start : start + _CHUNK]
        changes[:], alone[:], total[:] = 0, 0, 0
        for m in range(len(models)):
            model, factor = models[m, start : start + _CHUNK], factors[m]
            for i in range(total.size):
                vector = model[i] - origin[i]
                change = vector if abs(vector) > epsilon else np.float32(0)
                changes[i] += np.float32(1) if abs(vector) > epsilon else np.float32(0)
                alone[i] += change * factor
                total[i] += change
        for i in range(total.size):
            merged = alone[i] if changes[i] == 1 else total[i] / max(changes[i], np.float32(1))
            total[i] = origin[i] + merged
