"""lineal finetune: train a model further on text."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import DryRunOption, LicenceOverrideOption, OutOption, RegistryOption, model_names

EXAMPLES = """
Every option of the method is an option here; lineal methods NAME lists them.

Examples:

  lineal finetune ./base --data code.jsonl --method lora --rank 16 --alpha 32 --out ./code

  lineal finetune base --data a.jsonl --data b.txt --method full --learning-rate 1e-5 --epochs 2 --out ./tuned
"""


def finetune(
    words: Annotated[list[str], typer.Argument(autocompletion=model_names, metavar="MODEL [--OPTION VALUE]...")],
    out: OutOption,
    data: Annotated[list[Path], typer.Option("--data", help="A .jsonl file with a text a line, or a text file.")],
    method: Annotated[str, typer.Option("--method", help="How to fine-tune.")] = "lora",
    dry_run: DryRunOption = False,
    licence_override: LicenceOverrideOption = None,
    registry: RegistryOption = None,
) -> None:
    """Fine-tune a model (a name, path or b3: hash) on text; the same call after a kill continues."""
    from lineal.api.derivations import derivation
    from lineal.cli.words import make_or_plan, one_model_and_options
    from lineal.family.build.one_off import method_from_words
    from lineal.family.file.recipe import Reference

    model, options = one_model_and_options(words, "fine-tuned")
    chosen = method_from_words("fine-tune", method, options)
    parent = [Reference("parent", model)]
    wanted = derivation("fine-tune", chosen, parent, out, data=data, licence=licence_override)
    make_or_plan(wanted, registry, dry_run=dry_run)
