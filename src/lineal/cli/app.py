"""The verbs, in the order in which a newcomer meets them."""

import typer

app = typer.Typer(
    name="lineal",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Derives models from models, and knows where every one of them came from.",
)
