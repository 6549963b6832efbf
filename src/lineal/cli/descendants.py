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
    from lineal.cli.model_list import print_models
    from lineal.lineage import ancestry
    from lineal.lineage.locate import locate
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        print_models(opened, ancestry.descendants(opened, opened.resolve(model), limit), as_json=as_json)
