"""lineal distill: teach a student what other models predict."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import DryRunOption, LicenceOverrideOption, OutOption, RegistryOption, model_names

EXAMPLES = """
Every option of the method is an option here; lineal methods distill lists them. Structured ones are written as YAML.

Examples:

  lineal distill code prose --student base --layers 2 --data a.jsonl --data b.jsonl --tokens 2M --out ./small

  lineal distill ./large --student ./small --data text.jsonl --temperature 2 --alpha 0.7 --out ./taught

  lineal distill ./large --student ./large --layers 6 --progressive '{layer_mapping: [[0, 1], [5, 11]]}' \\
      --data text.jsonl --out ./half
"""


def distill(
    words: Annotated[list[str], typer.Argument(autocompletion=model_names, metavar="TEACHER... [--OPTION VALUE]...")],
    out: OutOption,
    student: Annotated[str, typer.Option("--student", help="The model whose weights the student begins with.")],
    data: Annotated[list[Path], typer.Option("--data", help="A .jsonl file with a text a line, or a text file.")],
    dry_run: DryRunOption = False,
    licence_override: LicenceOverrideOption = None,
    registry: RegistryOption = None,
) -> None:
    """Distill teachers (names, paths or b3: hashes) into a student; the same call after a kill continues."""
    from lineal.api.derivations import derivation, inputs_of_distillation
    from lineal.cli.words import make_or_plan, models_and_options
    from lineal.family.build.one_off import method_from_words
    from lineal.methods.distill.distill import Distill

    teachers, options = models_and_options(words)
    chosen = method_from_words("distillation", Distill.name, options)
    inputs = inputs_of_distillation(teachers, student)
    wanted = derivation("distillation", chosen, inputs, out, data=data, licence=licence_override)
    make_or_plan(wanted, registry, dry_run=dry_run)
