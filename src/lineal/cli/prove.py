"""lineal prove: that a tensor belongs to a model, as a file that anyone can check."""

from typing import Annotated

import typer

from lineal.cli.options import ModelArgument, RegistryOption
from lineal.cli.terminal import print_json

EXAMPLES = """
Examples:

  lineal prove both model.norm.weight > norm.proof.json

  lineal check-proof norm.proof.json
"""


def prove(
    model: ModelArgument,
    tensor: Annotated[str, typer.Argument(help="The name of one of its tensors.")],
    registry: RegistryOption = None,
) -> None:
    """Print a proof that a tensor belongs to a model: a kilobyte that takes no other tensor to check."""
    from lineal.checkpoint.content.inclusion import prove_inclusion
    from lineal.lineage.database.locate import locate
    from lineal.lineage.records.proof_json import proof_as_json
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        manifest = opened.manifest(opened.resolve(model))
    print_json(proof_as_json(prove_inclusion(manifest, tensor)))
