"""The verbs, in the order in which a newcomer meets them."""

from itertools import chain
from types import ModuleType
from typing import Any, final

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
    import_,
    journal,
    leaves,
    licence,
    log,
    merge,
    methods,
    path,
    policy,
    promote,
    prove,
    prune,
    quantize,
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

METHOD_OPTIONS = {"ignore_unknown_options": True}
"""For verbs whose options depend on a method: what is unknown here, the method must know."""

_DERIVING = (merge, prune, quantize, finetune, distill)
_SECTIONS = {
    "Derive": (run, *_DERIVING, methods),
    "Try": (evaluate, generate),
    "Name": (add, import_, tag, promote, policy),
    "Ask": (log, show, why, diff, blame, find, adopt, licence, bisect),
    "Walk": (ancestors, descendants, common, path, roots, leaves),
    "Trust": (verify, taint, tainted, clear, journal, check, prove, check_proof, sign, verify_signature),
}
_NAMES = {evaluate: "eval", import_: "import"}
"""Of verbs that are also words of Python's."""


@final
class _Sections(TyperGroup):
    """Commands under headings, in the order in which a newcomer meets them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = formatter.width - 6 - max(map(len, self.commands))
        for section, verbs in _SECTIONS.items():
            with formatter.section(section):
                named = [(verb, self.commands[verb]) for verb in map(_name, verbs)]
                formatter.write_dl([(name, command.get_short_help_str(width)) for name, command in named])


def _name(verb: ModuleType) -> str:
    return _NAMES.get(verb, verb.__name__.rpartition(".")[2].replace("_", "-"))


app = typer.Typer(
    name="lineal",
    cls=_Sections,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Derives models from models, and knows where every one of them came from.",
)

for _verb in chain.from_iterable(_SECTIONS.values()):
    _settings = METHOD_OPTIONS if _verb in _DERIVING else None
    _function = getattr(_verb, _verb.__name__.rpartition(".")[2])
    _ = app.command(_name(_verb), epilog=_verb.EXAMPLES, context_settings=_settings)(_function)
