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
    from lineal.api import uses
    from lineal.cli.family_report import print_built, print_plan
    from lineal.cli.progress_bars import TerminalProgress
    from lineal.cli.session import open_session

    path, names = _family_file(words or [])
    if dry_run:
        plan = uses.plan(path, names, out=out, registry=registry, threads=threads, progress=TerminalProgress())
        print_plan(plan, out, as_json=as_json)
        return
    built = uses.run(
        path, names, out=out, evaluate=evaluate, registry=registry, threads=threads, progress=TerminalProgress()
    )
    with open_session(registry) as session:
        print_built(session.registry, built, as_json)


def _family_file(words: list[str]) -> tuple[Path, list[str]]:
    """The first word is the file if it looks like one."""
    if words and (words[0].endswith((".yaml", ".yml")) or "/" in words[0]):
        return Path(words[0]), words[1:]
    return Path("family.yaml"), words
