"""lineal ancestors: everything that went into a model."""

from lineal.cli.options import JsonOption, LimitOption, ModelArgument, RegistryOption

EXAMPLES = """
Examples:

  lineal ancestors both

  lineal ancestors both --limit 3 --json
"""


def ancestors(
    model: ModelArgument,
    limit: LimitOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List everything that went into a model, nearest first."""
    from lineal.cli.model_list import answer
    from lineal.lineage.questions.ancestry import ancestors as asked

    _ = answer(registry, lambda known: asked(known, known.resolve(model), limit), as_json=as_json)
