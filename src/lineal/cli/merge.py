"""lineal merge: combine models into one."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import (
    DryRunOption,
    LayoutOption,
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

  lineal merge ./mixture --method passthrough --layout fused --out ./fused     the same weights, stored another way

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
    layout: LayoutOption = None,
    allow_nonfinite: NonfiniteOption = False,
    dry_run: DryRunOption = False,
    licence_override: LicenceOverrideOption = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Merge models (names, paths or b3: hashes) into one ordinary folder, or run a recipe of mergekit's."""
    from lineal.api import derivations
    from lineal.cli.words import make_or_plan, models_and_options
    from lineal.family.build.one_off import method_from_words

    recipe = _recipe(words, out, method, base, data, layout)
    if recipe is not None:
        wanted = derivations.recipe(*recipe, allow_nonfinite=allow_nonfinite, licence=licence_override)
    elif method is None or out is None:
        raise UsageError("--method and --out are needed, or a recipe: lineal merge RECIPE.yml OUT")
    else:
        models, options = models_and_options(words)
        wanted = derivations.derivation(
            "merge",
            method_from_words("merge", method, options),
            derivations.inputs_of_merge(models, base),
            out,
            data=data or (),
            layout=layout,
            allow_nonfinite=allow_nonfinite,
            licence=licence_override,
        )
    make_or_plan(wanted, registry, threads, dry_run=dry_run)


def _recipe(
    words: list[str],
    out: Path | None,
    method: str | None,
    base: str | None,
    data: list[Path] | None,
    layout: str | None,
) -> tuple[Path, Path] | None:
    """The recipe and the folder to write, if the first word is a recipe."""
    if not words[0].endswith((".yml", ".yaml")):
        return None
    rest = words[1:]
    if method is not None or base is not None or data or layout or len(rest) + (out is not None) != 1:
        raise UsageError("a recipe says everything but where to: lineal merge RECIPE.yml OUT")
    return Path(words[0]), out or Path(rest[0])
