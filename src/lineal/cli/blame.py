"""lineal blame: which ancestor each tensor's bytes come from."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, ModelArgument, RegistryOption
from lineal.cli.terminal import print_json, say

EXAMPLES = """
Examples:

  lineal blame lean                                     how many tensors come from whom

  lineal blame lean model.embed_tokens.weight           one tensor

  lineal blame lean --json                              all of them, by name
"""


def blame(
    model: ModelArgument,
    tensor: Annotated[str | None, typer.Argument(help="The name of one tensor.", show_default=False)] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which ancestor introduced the bytes that the tensors of a model have, whatever they are called there."""
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions.blame import blame as blamed_of
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        blamed = blamed_of(opened, opened.resolve(model), tensor)
        labels = {one.introduced_by: opened.label(one.introduced_by) for one in blamed}
    if as_json:
        print_json(
            [
                {"tensor": b.tensor, "introduced_by": format_hash(b.introduced_by), "label": labels[b.introduced_by]}
                for b in blamed
            ]
        )
        return
    width = max((len(label) for label in labels.values()), default=0)
    for introduced_by, label in labels.items():
        names = [one.tensor for one in blamed if one.introduced_by == introduced_by]
        say(f"{label:{width}}  {names[0] if len(names) == 1 else f'{len(names)} tensors'}")
