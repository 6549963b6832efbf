"""lineal prune: set weights of a model to zero."""

from typing import Annotated

import typer

from lineal.cli.options import (
    AdapterBaseOption,
    DryRunOption,
    LicenceOverrideOption,
    NonfiniteOption,
    OutOption,
    RegistryOption,
    ThreadsOption,
    model_names,
)

EXAMPLES = """
Every option of the method is an option here; lineal methods NAME lists them.

Examples:

  lineal prune ./both --sparsity 0.5 --out ./lean

  lineal prune both --sparsity 0.5 --scope row --out ./lean

  lineal prune ./code --base ./base --sparsity 0.3 --out ./code-lean
"""


def prune(
    words: Annotated[
        list[str], typer.Argument(autocompletion=model_names, metavar="MODEL --sparsity SHARE [--OPTION VALUE]...")
    ],
    out: OutOption,
    method: Annotated[str, typer.Option("--method", help="How to choose the weights.")] = "magnitude",
    base: AdapterBaseOption = None,
    allow_nonfinite: NonfiniteOption = False,
    dry_run: DryRunOption = False,
    licence_override: LicenceOverrideOption = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Set the share --sparsity of a model's weights (a name, path or b3: hash) to zero; its size stays the same."""
    from lineal.cli.session import open_session
    from lineal.cli.words import make_or_plan, one_model_and_options
    from lineal.family.build.one_off import family_of_one, method_from_words
    from lineal.family.file.recipe import Reference

    model, options = one_model_and_options(words, "pruned")
    chosen = method_from_words("prune", method, options)
    inputs = [*([Reference("base", base)] if base else []), Reference("parent", model)]
    with open_session(registry, threads, keeps=not dry_run) as session:
        family = family_of_one("prune", chosen, inputs, out, allow_nonfinite=allow_nonfinite)
        make_or_plan(session, family, out, dry_run=dry_run, licence=licence_override)
