"""lineal path: how a model descends from another."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, ModelArgument, RegistryOption, model_names
from lineal.cli.terminal import remark

EXAMPLES = """
Exit code 0: there is a way; 1: there is none.

Examples:

  lineal path base both
"""


def path(
    ancestor: ModelArgument,
    model: Annotated[str, typer.Argument(autocompletion=model_names, help="What may descend from it.")],
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a shortest way from an ancestor down to a model, both included; the evidence is its weakest step's."""
    from lineal.cli.model_list import print_models
    from lineal.errors import AnswerIsNo
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions import ancestry
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        way = ancestry.path(opened, opened.resolve(ancestor), opened.resolve(model))
        print_models(opened, way, as_json=as_json)
        weakest = ancestry.path_evidence(opened, way)
    if not way:
        raise AnswerIsNo(f"{model} does not descend from {ancestor}, as far as is known here")
    if weakest is not None:
        remark(f"evidence: {weakest.value}")
