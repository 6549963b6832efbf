"""lineal clear: take a taint back."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import DataOption, OptionalModelArgument, RegistryOption
from lineal.cli.terminal import say
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.lineage.registry import Registry

EXAMPLES = """
Examples:

  lineal clear code --reason "the test sets were replaced"

  lineal clear --data code.jsonl --reason "it was another file"
"""


def clear(
    reason: Annotated[str, typer.Option("--reason", help="Why it may be used again.")],
    model: OptionalModelArgument = None,
    data: DataOption = None,
    registry: RegistryOption = None,
) -> None:
    """Take back what taints this very model or data file; taints of what it was made from stand."""
    from lineal.lineage.database.locate import locate
    from lineal.lineage.registry import Registry

    if (model is None) == (data is None):
        raise UsageError("a model is needed, or --data with a data file")
    with Registry.open_existing(locate(registry)) as opened:
        say(_model(opened, model, reason) if model is not None else _data(opened, str(data), reason))


def _model(registry: "Registry", model: str, reason: str) -> str:
    cleared = registry.resolve(model)
    count = registry.clear(cleared, reason)
    inherited = registry.taints_of(cleared)
    label = registry.label(cleared)
    above = ", ".join(dict.fromkeys(taint.data or registry.label(taint.model) for taint in inherited))
    if not count:
        raise UsageError(f"{label} has no taint of its own" + (f"; it has those of {above}" if above else ""))
    return f"{label} is cleared" + (f", and stays tainted by {above}" if above else "")


def _data(registry: "Registry", reference: str, reason: str) -> str:
    from lineal.lineage.stated import data_taints
    from lineal.lineage.tables import data_files

    with registry.reading() as connection:
        file = data_files.resolve(connection, reference)
    if not data_taints.clear(registry, file.data_hash, reason):
        raise UsageError(f"{file.name} is not tainted")
    return f"{file.name} is cleared"
