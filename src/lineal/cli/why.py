"""lineal why: the steps that led to a model, as sentences."""

from lineal.cli.options import JsonOption, ModelArgument, RegistryOption
from lineal.cli.terminal import print_json, say

EXAMPLES = """
Examples:

  lineal why both
"""


def why(
    model: ModelArgument,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how a model came about: a sentence for each step that led to it, from the roots down."""
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions.why import why as reasons_of
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        reasons = reasons_of(opened, opened.resolve(model))
    if as_json:
        print_json([{"model": format_hash(r.model), "label": r.label, "sentence": r.sentence} for r in reasons])
        return
    say(*(reason.sentence for reason in reasons))
