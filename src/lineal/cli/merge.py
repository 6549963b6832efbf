"""lineal merge: combine models into one."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import (
    DryRunOption,
    LicenceOverrideOption,
    NonfiniteOption,
    RegistryOption,
    ThreadsOption,
    model_names,
)
from lineal.errors import UsageError

EXAMPLES = """
Every option of the method is an option here; lineal methods NAME lists them.

Examples:

  lineal merge code prose --base base --method ties --density 0.2 --weights 0.5,0.5 --out ./both

  lineal merge ./a ./b --method slerp --t 0.3 --out ./between

  lineal merge code --method adapter --out ./code-full

  lineal merge ./a ./b ./c --method greedy_soup --data val.txt --out ./soup

  lineal merge recipe.yml ./blend
"""


def merge(
    words: Annotated[
        list[str], typer.Argument(autocompletion=model_names, metavar="RECIPE.yml OUT | MODEL... [--OPTION VALUE]...")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="How to merge.")] = None,
    base: Annotated[str | None, typer.Option("--base", help="The model that task vectors start from.")] = None,
    data: Annotated[list[Path] | None, typer.Option("--data", help="A text that a greedy soup is picked by.")] = None,
    allow_nonfinite: NonfiniteOption = False,
    dry_run: DryRunOption = False,
    licence_override: LicenceOverrideOption = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Merge models (names, paths or b3: hashes) into one ordinary folder, or run a recipe of mergekit's."""
    from lineal.cli.session import open_session
    from lineal.cli.words import make_or_plan, models_and_options
    from lineal.family.build.one_off import family_of_one, family_of_recipe, method_from_words
    from lineal.family.file.recipe import Reference

    recipe = _recipe(words, out, method, base, data)
    if recipe is not None:
        with open_session(registry, threads, keeps=not dry_run) as session:
            file, out = recipe
            family = family_of_recipe(session, file, out, allow_nonfinite=allow_nonfinite)
            make_or_plan(session, family, out, dry_run=dry_run, licence=licence_override)
        return
    if method is None or out is None:
        raise UsageError("--method and --out are needed, or a recipe: lineal merge RECIPE.yml OUT")
    models, options = models_and_options(words)
    chosen = method_from_words("merge", method, options)
    inputs = [*([Reference("base", base)] if base else []), *(Reference("parent", model) for model in models)]
    with open_session(registry, threads, keeps=not dry_run) as session:
        family = family_of_one("merge", chosen, inputs, out, data=data or (), allow_nonfinite=allow_nonfinite)
        make_or_plan(session, family, out, dry_run=dry_run, licence=licence_override)


def _recipe(
    words: list[str], out: Path | None, method: str | None, base: str | None, data: list[Path] | None
) -> tuple[Path, Path] | None:
    """The recipe and the folder to write, if the first word is a recipe."""
    if not words[0].endswith((".yml", ".yaml")):
        return None
    rest = words[1:]
    if method is not None or base is not None or data or len(rest) + (out is not None) != 1:
        raise UsageError("a recipe says everything but where to: lineal merge RECIPE.yml OUT")
    return Path(words[0]), out or Path(rest[0])
