"""lineal promote: move a version to its next stage, or back."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption
from lineal.cli.terminal import print_json, say

EXAMPLES = """
development -> staging -> production -> archived; also one step back, and from archived to development.

Examples:

  lineal promote both@1.0.0 staging

  lineal promote both@staging production     the highest version in staging

  lineal promote both@1.0.0 staging          back again
"""


def promote(
    version: Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="A version; or a stage or tag after the @.")],
    stage: Annotated[str, typer.Argument(help="development, staging, production or archived.")],
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a version of a model one stage on or back."""
    from lineal.lineage.database.locate import locate
    from lineal.lineage.records.stages import Stage
    from lineal.lineage.registry import Registry
    from lineal.lineage.stated.promotion import promote as move

    with Registry.open_existing(locate(registry)) as opened:
        before, after = move(opened, version, Stage.parse(stage))
    if as_json:
        from lineal.lineage.shown.as_json import version_as_json

        print_json({**version_as_json(after), "was": before.stage.value})
    else:
        say(f"{after}: {before.stage.value} -> {after.stage.value}")
