"""lineal run: build a family."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption

EXAMPLES = """
Examples:

  lineal run                          build every model of ./family.yaml into ./models

  lineal run family.yaml both q4      only these, and what they are made from

  lineal run --dry-run                what would be done, and how large it will be
"""


def run(
    words: Annotated[list[str] | None, typer.Argument(metavar="[FAMILY.YAML] [NAME]...", show_default=False)] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the models' folders go.")] = Path("models"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    evaluate: Annotated[bool, typer.Option(help="Score the models on the texts under `evaluate`.")] = True,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build what is missing of a family of models; what exists is kept, what was killed continues."""
    from lineal.cli.family_report import print_built, print_plan_of
    from lineal.cli.session import open_session
    from lineal.family.build.evaluation import evaluate_family
    from lineal.family.build.run import run_family
    from lineal.family.file.read import read_family

    path, names = _family_file(words or [])
    with open_session(registry, threads, keeps=not dry_run) as session:
        family = read_family(path, session.knows)
        if dry_run:
            print_plan_of(session, family, out, names, as_json)
            return
        built = run_family(session, family, out, names)
        if evaluate:
            evaluate_family(session, family, built)
        print_built(session, built, as_json)


def _family_file(words: list[str]) -> tuple[Path, list[str]]:
    """The first word is the file if it looks like one."""
    if words and (words[0].endswith((".yaml", ".yml")) or "/" in words[0]):
        return Path(words[0]), words[1:]
    return Path("family.yaml"), words
