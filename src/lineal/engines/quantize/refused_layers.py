"""What stands against storing linear layers in a scheme, told once for all the layers that it stands against."""

from collections.abc import Callable, Iterator, Mapping

from lineal.errors import CheckpointError
from lineal.shown import listed, quoted


def refuse_layers(
    label: str,
    scheme: str,
    layers: Mapping[str, tuple[tuple[int, ...], str]],
    fault: Callable[[tuple[int, ...], str], str | None],
) -> None:
    """Raise CheckpointError for layers, by the names of their weights, that a scheme cannot store.

    layers: shapes and dtypes; fault: what stands against such a layer, as a sentence without its name.
    """
    if faults := list(_faults(layers, fault)):
        raise CheckpointError(f"{label} cannot be stored as {scheme}: " + listed(faults))


def _faults(
    layers: Mapping[str, tuple[tuple[int, ...], str]], fault: Callable[[tuple[int, ...], str], str | None]
) -> Iterator[str]:
    against: dict[str, list[str]] = {}
    for name in sorted(layers):
        if (found := fault(*layers[name])) is not None:
            against.setdefault(found, []).append(name)
    for found, (first, *others) in against.items():
        more = f" ({len(others)} more like it)" if others else ""
        yield f"{quoted(first)} {list(layers[first][0])} {found}{more}"
    if len({dtype for _, dtype in layers.values()}) > 1:
        yield "its linear layers have several dtypes"
