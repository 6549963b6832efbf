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
    from lineal.api.derivations import derivation, inputs_of_merge
    from lineal.cli.words import make_or_plan, one_model_and_options
    from lineal.family.build.one_off import method_from_words

    model, options = one_model_and_options(words, "pruned")
    chosen = method_from_words("prune", method, options)
    inputs = inputs_of_merge([model], base)
    wanted = derivation("prune", chosen, inputs, out, allow_nonfinite=allow_nonfinite, licence=licence_override)
    make_or_plan(wanted, registry, threads, dry_run=dry_run)
