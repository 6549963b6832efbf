"""Verbs whose options are those of a method, too."""

from typing import TYPE_CHECKING, Any, final

import typer
from typer.core import TyperCommand

from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.derivation.step import Kind

SETTINGS = {"ignore_unknown_options": True}
"""What is unknown to the verb, the method must know."""

_KINDS: "dict[str, Kind]" = {
    "finetune": "fine-tune",
    "distill": "distillation",
    "merge": "merge",
    "prune": "prune",
    "quantize": "quantize",
}


@final
class Deriving(TyperCommand):
    """A mistyped option is named before one that is missed for it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        try:
            rest = super().parse_args(ctx, args)
        except typer.TyperException:
            self._refuse_unknown(given)
            raise
        if not ctx.resilient_parsing:
            self._refuse_unknown(given)
        return rest

    def _refuse_unknown(self, words: list[str]) -> None:
        asked = [word.partition("=")[0] for word in words if word.startswith("--") and word != "--"]
        own = {option for parameter in self.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [option for option in asked if option not in own]
        if not unknown:  # the catalogue takes its time
            return
        known = own | set(_options_of_methods(_KINDS[str(self.name)], _method(words)))
        for option in unknown:
            if option not in known:
                raise UsageError(_no_such(option, known))


def _no_such(option: str, known: set[str]) -> str:
    from lineal.nearest import nearest

    return f"no such option {option} ({nearest(option, known)})"


def _method(words: list[str]) -> str | None:
    """What --method says, where it says anything."""
    from lineal.cli.words import value_of

    return value_of("--method", words)


def _options_of_methods(kind: "Kind", name: str | None) -> list[str]:
    """As they are written, of the method that is asked for; of all of the kind where that is none."""
    from lineal.methods.catalogue import methods

    those = [method for (its_kind, _), method in methods().items() if its_kind == kind]
    chosen = [method for method in those if method.name == name] or those
    names = {option for method in chosen for option in method.option_names()}
    return [
        written for option in names for written in (f"--{option}".replace("_", "-"), f"--no-{option}".replace("_", "-"))
    ]
