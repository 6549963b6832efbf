"""lineal taint: a model that must not be used, nor anything made from it."""

from typing import Annotated

import typer

from lineal.cli.options import DataOption, OptionalModelArgument, RegistryOption
from lineal.cli.terminal import say

EXAMPLES = """
Examples:

  lineal taint code --reason "trained on leaked test sets" --source issue-214

  lineal tainted both                                         exit code 1: it was made from code

  lineal taint --data code.jsonl --reason "holds the test set"   every model made on it, and from those

  lineal clear code --reason "the test sets were replaced"
"""


def taint(
    reason: Annotated[str, typer.Option("--reason", help="Why it must not be used.")],
    model: OptionalModelArgument = None,
    data: DataOption = None,
    source: Annotated[str, typer.Option("--source", help="Who says so: a ticket, an address, a person.")] = "",
    registry: RegistryOption = None,
) -> None:
    """Taint a model, or a data file, and with it everything that was or will be made from it."""
    from lineal.errors import UsageError
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions import ancestry
    from lineal.lineage.registry import Registry
    from lineal.lineage.stated import data_taints
    from lineal.lineage.tables import data_files

    if (model is None) == (data is None):
        raise UsageError("a model is needed, or --data with a data file")
    with Registry.open_existing(locate(registry)) as opened:
        if data is not None:
            with opened.reading() as connection:
                file = data_files.resolve(connection, data)
            count = data_taints.add(opened, file.data_hash, reason, source)
            say(f"{file.name} is tainted, and {count} models that were made on it or from those")
        elif model is not None:
            tainted = opened.resolve(model)
            opened.taint(tainted, reason, source)
            reached = ancestry.count_descendants(opened, tainted)
            say(f"{opened.label(tainted)} is tainted, and {reached} models that were made from it")
