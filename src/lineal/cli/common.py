"""lineal common: what two models both go back to."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption

EXAMPLES = """
Exit code 0: they have something in common; 1: they have not.

Examples:

  lineal common code prose       the nearest first
"""


def common(
    one: Annotated[str, typer.Argument(help="A name, a b3: hash or the path of a known place.")],
    other: Annotated[str, typer.Argument(help="Another.")],
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that two models both go back to; a model goes back to itself."""
    from lineal.cli.model_list import print_models
    from lineal.errors import AnswerIsNo
    from lineal.lineage import ancestry
    from lineal.lineage.locate import locate
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        found = ancestry.common_ancestors(opened, opened.resolve(one), opened.resolve(other))
        print_models(opened, found, as_json=as_json)
    if not found:
        raise AnswerIsNo(f"{one} and {other} go back to nothing in common")
