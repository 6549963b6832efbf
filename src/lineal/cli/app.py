"""The command line as typer has it: what stands before a verb, and the list of the verbs."""

from typing import Annotated, Any, cast, final

import typer
from typer.core import TyperGroup

from lineal.cli.terminal import say
from lineal.cli.verbs import SECTIONS, Verbs


@final
class _Sections(TyperGroup):
    """Commands under headings, in the order in which a newcomer meets them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = cast(Any, Verbs())

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section, verbs in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([*verbs.items()])


app = typer.Typer(
    name="lineal",
    cls=_Sections,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Derives models from models, and knows where every one of them came from.",
)


def _print_version(asked: bool) -> None:
    if asked:
        import lineal

        say(f"lineal {lineal.__version__}")
        raise typer.Exit


@app.callback()
def _lineal(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What stands before a verb."""
