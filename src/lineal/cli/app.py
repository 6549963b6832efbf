"""The verbs, in the order in which a newcomer meets them."""

import typer

from lineal.cli import add, evaluate, finetune, generate, log, merge, methods, run, show, verify

app = typer.Typer(
    name="lineal",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Derives models from models, and knows where every one of them came from.",
)

METHOD_OPTIONS = {"ignore_unknown_options": True}
"""For verbs whose options depend on a method: what is unknown here, the method must know."""

app.command(epilog=run.EXAMPLES)(run.run)
app.command(epilog=merge.EXAMPLES, context_settings=METHOD_OPTIONS)(merge.merge)
app.command(epilog=finetune.EXAMPLES, context_settings=METHOD_OPTIONS)(finetune.finetune)
app.command("eval", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=generate.EXAMPLES)(generate.generate)
app.command(epilog=add.EXAMPLES)(add.add)
app.command(epilog=log.EXAMPLES)(log.log)
app.command(epilog=show.EXAMPLES)(show.show)
app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command(epilog=methods.EXAMPLES)(methods.methods)
