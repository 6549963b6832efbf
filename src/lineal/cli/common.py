"""lineal common: what two models both go back to."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, ModelArgument, RegistryOption, model_names

if TYPE_CHECKING:
    from lineal.lineage.registry import Registry

EXAMPLES = """
Exit code 0: they have something in common; 1: they have not.

Examples:

  lineal common code prose       the nearest first
"""


def common(
    one: ModelArgument,
    other: Annotated[str, typer.Argument(autocompletion=model_names, help="Another.")],
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that two models both go back to; a model goes back to itself."""
    from lineal.cli.model_list import answer
    from lineal.errors import AnswerIsNo
    from lineal.lineage.questions.ancestry import common_ancestors

    def ask(known: "Registry") -> tuple[bytes, ...]:
        return common_ancestors(known, known.resolve(one), known.resolve(other))

    if not answer(registry, ask, as_json=as_json):
        raise AnswerIsNo(f"{one} and {other} go back to nothing in common")
