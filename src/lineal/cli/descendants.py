"""lineal descendants: everything that a model went into."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, LimitOption, RegistryOption

EXAMPLES = """
Examples:

  lineal descendants base

  lineal descendants base --limit 20
"""


def descendants(
    model: Annotated[str, typer.Argument(help="A name, a b3: hash or the path of a known place.")],
    limit: LimitOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List everything that a model went into, nearest first."""
    from lineal.cli.model_list import answer
    from lineal.lineage.ancestry import descendants as asked

    _ = answer(registry, lambda known: asked(known, known.resolve(model), limit), as_json=as_json)
