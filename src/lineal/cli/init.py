"""lineal init: a family file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.terminal import say

EXAMPLES = """
Examples:

  lineal init               family.yaml from the models in this folder

  lineal init ./downloads   from those in another
"""


def init(
    folder: Annotated[Path, typer.Argument(help="A folder of models.")] = Path(),
    out: Annotated[Path, typer.Option("--out", help="The family file to write.")] = Path("family.yaml"),
) -> None:
    """Write a family file that names the models in a folder, with an example of each derivation to fill in."""
    from lineal.checkpoint.inside import resolved
    from lineal.checkpoint.written.output_file import write_new
    from lineal.family.file.starting import family_text

    text, found = family_text(folder, resolved(out).parent)
    write_new(out, text)
    say(f"{out}: {found} models; lineal run {out} --dry-run checks it")
