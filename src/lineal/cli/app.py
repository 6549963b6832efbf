"""The verbs, in the order in which a newcomer meets them."""

from itertools import chain
from types import ModuleType
from typing import Annotated, Any, final

import typer
from typer.core import TyperGroup

from lineal.cli import (
    add,
    adopt,
    ancestors,
    bisect,
    blame,
    check,
    check_proof,
    clear,
    common,
    descendants,
    diff,
    distill,
    evaluate,
    find,
    finetune,
    generate,
    help_,
    import_,
    init,
    journal,
    leaves,
    licence,
    list_,
    log,
    merge,
    methods,
    path,
    policy,
    promote,
    prove,
    prune,
    quantize,
    rm,
    roots,
    run,
    show,
    sign,
    tag,
    taint,
    tainted,
    verify,
    verify_signature,
    why,
)
from lineal.cli.deriving import SETTINGS, Deriving
from lineal.cli.terminal import say

_DERIVING = (merge, prune, quantize, finetune, distill)
_SECTIONS = {
    "Derive": (init, run, *_DERIVING, methods, help_),
    "Try": (evaluate, generate),
    "Name": (add, import_, list_, rm, tag, promote, policy),
    "Ask": (log, show, why, diff, blame, find, adopt, licence, bisect),
    "Walk": (ancestors, descendants, common, path, roots, leaves),
    "Trust": (verify, taint, tainted, clear, journal, check, prove, check_proof, sign, verify_signature),
}
_NAMES = {evaluate: "eval", import_: "import", help_: "help", list_: "list"}
"""Of verbs that are also words of Python's."""
_WHOLE = 1000
"""Letters of a summary, so that none is cut."""


@final
class _Sections(TyperGroup):
    """Commands under headings, in the order in which a newcomer meets them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section, verbs in _SECTIONS.items():
            with formatter.section(section):
                named = [(verb, self.commands[verb]) for verb in map(_name, verbs)]
                formatter.write_dl([(name, command.get_short_help_str(_WHOLE)) for name, command in named])


def _name(verb: ModuleType) -> str:
    return _NAMES.get(verb, verb.__name__.rpartition(".")[2].replace("_", "-"))


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


for _verb in chain.from_iterable(_SECTIONS.values()):
    _function = getattr(_verb, _verb.__name__.rpartition(".")[2])
    if _verb in _DERIVING:
        _ = app.command(_name(_verb), cls=Deriving, epilog=_verb.EXAMPLES, context_settings=SETTINGS)(_function)
    else:
        _ = app.command(_name(_verb), epilog=_verb.EXAMPLES)(_function)
