"""lineal help: what there is, or what a verb does."""

from typing import Annotated

import typer

from lineal.cli.terminal import say
from lineal.shown import quoted

EXAMPLES = """
Examples:

  lineal help             all verbs

  lineal help merge       one of them, as lineal merge --help
"""


def help_(
    context: typer.Context,
    verb: Annotated[str | None, typer.Argument(help="A verb.", show_default=False)] = None,
) -> None:
    """Show what lineal can do, or how one of its verbs is used."""
    from lineal.errors import UsageError
    from lineal.nearest import nearest

    root = context.find_root()
    if verb is None:
        say(*root.get_help().splitlines())
        return
    commands = root.command.commands  # pyright: ignore[reportAttributeAccessIssue]
    if verb not in commands:
        raise UsageError(f"no such verb {quoted(verb)} ({nearest(verb, commands)})")
    _ = commands[verb].make_context(verb, ["--help"], parent=root)
