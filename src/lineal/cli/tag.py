"""lineal tag: give a model a version, or say more of one."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption
from lineal.cli.terminal import print_json, say

EXAMPLES = """
Examples:

  lineal tag both 1.0.0                                   a version of the name, of the model that it stands for now

  lineal tag both 1.0.0 --tag good --score 87.5           more of the same version

  lineal tag both 1.0.0 --metric mmlu=0.61 --untag good

  lineal tag both 1.0.0 --alias champion                  both@champion is this one from now on, and no other

  lineal tag both@1.0.0-rc.1 1.0.0                        the release of a candidate: the same model
"""


def tag(
    model: Annotated[str, typer.Argument(help="A name, NAME@VERSION, or the hash or place of a model with one name.")],
    version: Annotated[str, typer.Argument(help="A semantic version: 1.2.0, 2.0.0-rc.1.")],
    tags: Annotated[list[str] | None, typer.Option("--tag", metavar="WORD", help="May be given several times.")] = None,
    aliases: Annotated[
        list[str] | None, typer.Option("--alias", metavar="WORD", help="A tag that moves here from any other version.")
    ] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", metavar="WORD", help="A tag to take away.")] = None,
    score: Annotated[float | None, typer.Option("--score", metavar="0-100", help="How good it is.")] = None,
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME=VALUE", help="A figure; may be given several times.")
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a model a version, for good, or add tags, a score and metrics to one that it has."""
    from lineal.cli.figures import figures
    from lineal.lineage.database.locate import locate
    from lineal.lineage.records.semantic_version import SemanticVersion
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        known = opened.add_version(
            model,
            SemanticVersion.parse(version),
            tags=tuple(tags or ()),
            aliases=tuple(aliases or ()),
            untag=tuple(untag or ()),
            quality_score=score,
            metrics=figures("--metric", metrics or []),
        )
    if as_json:
        from lineal.lineage.shown.as_json import version_as_json

        print_json(version_as_json(known))
    else:
        from lineal.cli.versions import version_lines

        say(*version_lines([known]))
