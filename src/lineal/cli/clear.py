"""lineal clear: take a taint back."""

from typing import Annotated

import typer

from lineal.cli.options import RegistryOption

EXAMPLES = """
Examples:

  lineal clear code --reason "the test sets were replaced"
"""


def clear(
    model: Annotated[str, typer.Argument(help="A name, a b3: hash or the path of a known place.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may be used again.")],
    registry: RegistryOption = None,
) -> None:
    """Take back what taints this very model; taints of what it was made from stand."""
    from lineal.errors import UsageError
    from lineal.lineage.locate import locate
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        cleared = opened.resolve(model)
        count = opened.clear(cleared, reason)
        inherited = opened.taints_of(cleared)
        label = opened.label(cleared)
        above = ", ".join(dict.fromkeys(opened.label(taint.model) for taint in inherited))
    if not count:
        raise UsageError(f"{label} has no taint of its own" + (f"; it has those of {above}" if above else ""))
    print(f"{label} is cleared" + (f", and stays tainted by {above}" if above else ""))
