"""lineal rm: take a name away, and if asked to the files of what it stood for."""

import sys
from typing import Annotated

import typer

from lineal.cli.options import RegistryOption, model_names
from lineal.cli.terminal import say

EXAMPLES = """
The model stays known by its hash, and so does all that was made from it; the journal notes that the name is gone.

Examples:

  lineal rm draft                     the name alone

  lineal rm draft --weights           its folder, too, where lineal made it; it asks first

  lineal rm draft --weights --yes     without asking
"""


def rm(
    name: Annotated[str, typer.Argument(autocompletion=model_names, help="A NAME or FAMILY:NAME.")],
    weights: Annotated[bool, typer.Option("--weights", help="Delete the files, too, if lineal made them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before files are deleted.")] = False,
    registry: RegistryOption = None,
) -> None:
    """Forget a name; with --weights also delete what it stands for, where lineal made it."""
    from lineal.cli.session import open_session
    from lineal.errors import UsageError
    from lineal.family.removal import deletable, remove
    from lineal.shown import printable

    with open_session(registry, must_exist=True) as session:
        places = deletable(session, name) if weights else ()
        if places and not yes:
            if not sys.stdin.isatty():
                raise UsageError(f"--weights deletes {', '.join(map(str, places))}: say --yes as well")
            if not typer.confirm(printable(f"delete {', '.join(map(str, places))}?")):
                return
        removed = remove(session, name, places)
    say(f"{removed} is not a name any more" + "".join(f"; deleted {place}" for place in places))
