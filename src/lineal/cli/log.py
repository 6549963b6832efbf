"""lineal log: the family tree, in the terminal, as JSON or as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from lineal.cli.options import JsonOption, RegistryOption, model_names
from lineal.cli.terminal import print_json
from lineal.shown import quoted

if TYPE_CHECKING:
    from lineal.lineage.questions.graph import FamilyGraph
    from lineal.lineage.registry import Registry

ModelsArgument: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(autocompletion=model_names, metavar="MODEL", help="Names, b3: hashes or paths."),
]

MOST_UNASKED = 2000
"""Without a model or family, at most so many ends of families are drawn."""

EXAMPLES = """
Examples:

  lineal log                    every family in the registry

  lineal log --family demo      one family, roots at the top

  lineal log both               one model and all that it goes back to

  lineal log both --depth 1     only its parents

  lineal log base --down        what was made from it

  lineal log --family demo --svg family.svg
"""


def log(
    models: ModelsArgument = None,
    family: Annotated[str | None, typer.Option("--family", metavar="NAME", help="All models of this family.")] = None,
    every_step: Annotated[
        bool, typer.Option("--all", help="Every way in which a model was made, not only the one recorded first.")
    ] = False,
    depth: Annotated[
        int | None, typer.Option("--depth", min=0, help="How many generations to go from the models asked for.")
    ] = None,
    down: Annotated[
        bool, typer.Option("--down", help="What was made from the models, not what they go back to.")
    ] = False,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Also write the tree as a picture.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture that stands at FILE.")] = False,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the family tree: who was made from whom, how, how big it is, what it scores and how well that is attested.

    A model with several parents stands under the first of them; under the others there is a reference.
    """
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions.graph import family_graph
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        asked = _asked_for(opened, models or [], family)
        if down:
            asked, depth = _below(opened, asked, depth), 0
        graph = family_graph(opened, asked, depth, every_step)
    if svg is not None:
        _draw(graph, svg, force=force)
    if as_json:
        from lineal.lineage.shown.as_json import graph_as_json

        print_json(graph_as_json(graph))
    else:
        from lineal.cli.family_tree import print_graph

        print_graph(graph)


def _draw(graph: "FamilyGraph", place: Path, *, force: bool) -> None:
    from lineal.checkpoint.written.output_file import write_output
    from lineal.lineage.shown.picture import draw, is_drawn

    write_output(place, draw(graph), "a picture", is_drawn, force=force)


def _below(registry: "Registry", models: list[bytes], depth: int | None) -> list[bytes]:
    from lineal.errors import UsageError
    from lineal.lineage.questions.ancestry import generations_down

    below = list(generations_down(registry, models, depth))
    if len(below) > MOST_UNASKED:
        raise UsageError(f"{len(below):,} models to show: --depth narrows, lineal descendants lists")
    return below


def _asked_for(registry: "Registry", models: list[str], family: str | None) -> list[bytes]:
    """The models named, those of the family named, or with neither everything: whatever ends a line of descent."""
    from lineal.errors import UsageError
    from lineal.lineage.questions.ancestry import leaves

    asked = [registry.resolve(model) for model in models]
    if family is not None:
        members = [name.model_hash for name in registry.names(family)]
        if not members:
            known = ", ".join(dict.fromkeys(name.family for name in registry.names())) or "none"
            raise UsageError(f"no model belongs to a family {quoted(family)} (families: {known})")
        asked += members
    if models or family is not None:
        return asked
    ends = leaves(registry)
    if len(ends) > MOST_UNASKED:
        raise UsageError(f"the registry holds {len(ends):,} lines of descent: name models, or a family with --family")
    return [*(name.model_hash for name in registry.names()), *ends]
