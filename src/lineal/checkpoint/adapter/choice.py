"""Which layers an adapter's config chooses, as PEFT reads it."""

from collections.abc import Sequence
from typing import cast, final

from lineal.checkpoint.reader import ADAPTER_CONFIG, Checkpoint
from lineal.errors import CheckpointError
from lineal.expressions import Expressions
from lineal.shown import quoted

ALL_LINEAR = "all-linear"


@final
class Choice:
    """What `target_modules`, `exclude_modules` and `layers_to_transform` of a config mean for a layer.

    A text there is a regular expression of whoever made the adapter: it is compared under a limit of time. Lists hold
    names, or ends of paths.
    """

    def __init__(self, adapter: Checkpoint) -> None:
        self._place = adapter.folder / ADAPTER_CONFIG
        self._expressions = Expressions(self._place, CheckpointError)
        self._targets, self._excluded = (self._names(adapter, key) for key in ("target_modules", "exclude_modules"))
        blocks = adapter.config.get("layers_to_transform")
        self._blocks = blocks if isinstance(blocks, list) else [] if blocks is None else [blocks]

    def holds(self, path: str) -> bool:
        """Whether a linear layer, other than a head, is chosen; of `all-linear` every one is."""
        if self._is_named(self._excluded, path):
            return False
        if self._targets == ALL_LINEAR:
            return True
        block = next((int(part) for part in path.split(".") if part.isdecimal()), None)
        return self._is_named(self._targets, path) and (not self._blocks or block in self._blocks)

    def _names(self, adapter: Checkpoint, key: str) -> str | Sequence[str]:
        found = adapter.config.get(key)
        if found is None or found == "":
            return []
        if isinstance(found, str):
            return found
        if not isinstance(found, list) or not all(isinstance(name, str) for name in cast(list[object], found)):
            raise CheckpointError(f"{self._place}: {key} must be a text or a list of names, got {quoted(found)}")
        return cast(list[str], found)

    def _is_named(self, names: str | Sequence[str], path: str) -> bool:
        if isinstance(names, str):
            return self._expressions.whole(names, path)
        return any(path == name or path.endswith(f".{name}") for name in names)
