"""lineal merge: combine models into one."""

from typing import Annotated

import typer

from lineal.cli.options import NonfiniteOption, OutOption, RegistryOption, ThreadsOption

EXAMPLES = """
Every option of the method is an option here; lineal methods NAME lists them.

Examples:

  lineal merge code prose --base base --method ties --density 0.2 --weights 0.5,0.5 --out ./both

  lineal merge ./a ./b --method slerp --t 0.3 --out ./between

  lineal merge code --method adapter --out ./code-full
"""


def merge(
    words: Annotated[list[str], typer.Argument(metavar="MODEL... [--OPTION VALUE]...")],
    out: OutOption,
    method: Annotated[str, typer.Option("--method", help="How to merge.")],
    base: Annotated[str | None, typer.Option("--base", help="The model that task vectors start from.")] = None,
    allow_nonfinite: NonfiniteOption = False,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Merge models (names, paths or b3: hashes) into one ordinary folder."""
    from lineal.cli.words import models_and_options, print_made
    from lineal.cli.workshop import open_workshop
    from lineal.family.one_off import derive_one, method_from_words
    from lineal.family.recipe import Reference

    models, options = models_and_options(words)
    chosen = method_from_words("merge", method, options)
    inputs = [*([Reference("base", base)] if base else []), *(Reference("parent", model) for model in models)]
    with open_workshop(registry, threads) as workshop:
        print_made(derive_one(workshop, "merge", chosen, inputs, out, allow_nonfinite=allow_nonfinite))
