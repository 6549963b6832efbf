"""How strong an adapter's updates are: rank and alpha, which PEFT lets differ by patterns of module names."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast, final

from lineal.checkpoint.reader import ADAPTER_CONFIG, Checkpoint
from lineal.errors import CheckpointError
from lineal.expressions import Expressions
from lineal.shown import quoted


@final
class Strength(NamedTuple):
    """The update of a module is alpha / rank times B @ A; where ranks are stabilized, alpha / sqrt(rank)."""

    rank: int
    alpha: float
    stabilized: bool

    @property
    def scale(self) -> float:
        return self.alpha / (math.sqrt(self.rank) if self.stabilized else self.rank)


@final
class Strengths:
    """What an adapter's config says of each module.

    Patterns are regular expressions of whoever made the adapter: they are compared under a limit of time.
    """

    def __init__(self, adapter: Checkpoint) -> None:
        self._config = adapter.config
        self._place = adapter.folder / ADAPTER_CONFIG
        self._expressions = Expressions(self._place, CheckpointError)
        self._ranks, self._alphas = self._patterns("rank_pattern"), self._patterns("alpha_pattern")

    def of(self, module: str, rank: int) -> Strength:
        """That of a module whose matrices have this rank; a config that says another is an error."""
        expected, alpha = self._value(self._ranks, "r", module), self._value(self._alphas, "lora_alpha", module)
        if rank < 1 or rank != expected:
            raise self._fault(module, f"its matrices have rank {rank}, the config says {quoted(expected)}")
        if not isinstance(alpha, int | float) or not math.isfinite(alpha):
            raise self._fault(module, f"its alpha is {quoted(alpha)}")
        return Strength(rank, float(alpha), bool(self._config.get("use_rslora")))

    def _patterns(self, key: str) -> Mapping[str, Any]:
        found = self._config.get(key) or {}
        if not isinstance(found, dict):
            raise CheckpointError(f"{self._place}: {key} must map patterns to numbers, got {quoted(found)}")
        return cast(dict[str, Any], found)

    def _value(self, patterns: Mapping[str, Any], default: str, module: str) -> Any:
        """That of the first pattern that matches the module's name, else of all."""
        pattern = self._expressions.first(patterns, module)
        return self._config.get(default) if pattern is None else patterns[pattern]

    def _fault(self, module: str, said: str) -> CheckpointError:
        return CheckpointError(f"{self._place}: no scale for {quoted(module)}: {said}")
