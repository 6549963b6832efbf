"""lineal roots: where lines of descent begin."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, model_names

EXAMPLES = """
Examples:

  lineal roots

  lineal roots both          what it goes back to
"""


def roots(
    model: Annotated[
        str | None, typer.Argument(autocompletion=model_names, help="A name, a b3: hash or a path.", show_default=False)
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that were made from no other: all of them, or those that one goes back to."""
    from lineal.cli.model_list import answer
    from lineal.lineage.questions.ancestry import roots as asked

    _ = answer(registry, lambda known: asked(known, None if model is None else known.resolve(model)), as_json=as_json)
