"""lineal taint: a model that must not be used, nor anything made from it."""

from typing import Annotated

import typer

from lineal.cli.options import RegistryOption

EXAMPLES = """
Examples:

  lineal taint code --reason "trained on leaked test sets" --source issue-214

  lineal tainted both                                         exit code 1: it was made from code

  lineal clear code --reason "the test sets were replaced"
"""


def taint(
    model: Annotated[str, typer.Argument(help="A name, a b3: hash or the path of a known place.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it must not be used.")],
    source: Annotated[str, typer.Option("--source", help="Who says so: a ticket, an address, a person.")] = "",
    registry: RegistryOption = None,
) -> None:
    """Taint a model, and with it everything that was or will be made from it."""
    from lineal.lineage import ancestry
    from lineal.lineage.locate import locate
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        tainted = opened.resolve(model)
        opened.taint(tainted, reason, source)
        reached = len(ancestry.descendants(opened, tainted))
        print(f"{opened.label(tainted)} is tainted, and {reached} models that were made from it")
