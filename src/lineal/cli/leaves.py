"""lineal leaves: where lines of descent end."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, model_names

EXAMPLES = """
Examples:

  lineal leaves

  lineal leaves base         what came of it in the end
"""


def leaves(
    model: Annotated[
        str | None, typer.Argument(autocompletion=model_names, help="A name, a b3: hash or a path.", show_default=False)
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that no other was made from: all of them, or those that one led to."""
    from lineal.cli.model_list import answer
    from lineal.lineage.questions.ancestry import leaves as asked

    _ = answer(registry, lambda known: asked(known, None if model is None else known.resolve(model)), as_json=as_json)
