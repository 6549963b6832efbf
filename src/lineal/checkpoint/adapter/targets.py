"""What each pair of an adapter's matrices is on: the weight of a layer, or a parameter that its config targets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast, final

from lineal.checkpoint.adapter.memory import OF_EXPERTS, InMemory
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.reader import ADAPTER_CONFIG, Checkpoint
from lineal.errors import CheckpointError
from lineal.shown import quoted

Pair = Mapping[str, TensorSpec]
"""The matrices A and B."""

_NESTED = ".base_layer"
"""PEFT wraps a module once for each of its parameters: the wrapper of the last is the outermost."""


@final
class Target(NamedTuple):
    """module: as the file calls it; weight: its name in memory; called: by what PEFT compares patterns with."""

    module: str
    pair: Pair
    weight: str
    called: str

    @property
    def is_parameter(self) -> bool:
        return self.called == self.weight


def targets_of(adapter: Checkpoint, pairs: Iterable[tuple[str, Pair]], memory: InMemory) -> Iterator[Target]:
    """Those of all pairs; an error where a module's pairs are not as many as its parameters that are targeted."""
    asked = target_parameters(adapter)
    modules: dict[str, dict[str, Pair]] = {}
    for path, pair in pairs:
        modules.setdefault(path.replace(_NESTED, "") if asked else path, {})[path] = pair
    for module, found in modules.items():
        names = (f"{module}.{word}" for word in (memory.parameters(module) if asked else ()))
        chosen = [name for name in names if any(name == one or name.endswith(f".{one}") for one in asked)]
        if not chosen:
            yield from (Target(path, pair, f"{path}.weight", path) for path, pair in found.items())
            continue
        nested = [module + depth * _NESTED for depth in range(len(chosen))]
        _require_all(adapter, module, found, nested, chosen)
        yield from (Target(path, found[path], name, name) for path, name in zip(nested, reversed(chosen), strict=True))


def target_parameters(adapter: Checkpoint) -> Sequence[str]:
    """The names of parameters that the config targets, or ends of them."""
    found = adapter.config.get("target_parameters") or []
    if not isinstance(found, list) or not all(isinstance(name, str) for name in cast(list[object], found)):
        raise CheckpointError(
            f"{adapter.folder / ADAPTER_CONFIG}: target_parameters must be a list of names, got {quoted(found)}"
        )
    return cast(list[str], found)


def _require_all(
    adapter: Checkpoint, module: str, found: Mapping[str, Pair], nested: Sequence[str], chosen: Sequence[str]
) -> None:
    words = [name.rpartition(".")[2] for name in chosen]
    if set(found) != set(nested):
        raise CheckpointError(
            f"{adapter.folder}: adapts {', '.join(quoted(path) for path in sorted(found))}, where its "
            f"target_parameters choose {' and '.join(words)} of {quoted(module)}"
        )
    if len(words) > 1 and not set(words) <= set(OF_EXPERTS):
        raise CheckpointError(
            f"{adapter.folder}: adapts {' and '.join(words)} of {quoted(module)}; which of its matrices are whose is "
            f"known of {', '.join(OF_EXPERTS)}"
        )
