"""Command lines of verbs whose options depend on a method: models first, then options."""

from itertools import pairwise

from lineal.api.derivations import Derivation
from lineal.checkpoint.inside import resolved
from lineal.cli.progress_bars import TerminalProgress
from lineal.cli.terminal import say
from lineal.errors import UsageError


def models_and_options(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before the first --option, and the rest."""
    first = next((index for index, word in enumerate(words) if word.startswith("--")), len(words))
    if first == 0:
        raise UsageError("name the models first, then the options")
    return words[:first], words[first:]


def one_model_and_options(words: list[str], done: str) -> tuple[str, list[str]]:
    """The one model before the first --option, and the rest; `done` is what the verb does to it, for the error."""
    models, options = models_and_options(words)
    if len(models) != 1:
        raise UsageError(f"one model is {done} at a time, got {', '.join(models)}")
    return models[0], options


def value_of(option: str, words: list[str]) -> str | None:
    """What stands behind an option, where it is there: --scheme q8_0, or --scheme=q8_0."""
    after = dict(pairwise(words)).get(option)
    return next((word.partition("=")[2] for word in words if word.startswith(f"{option}=")), after)


def make_or_plan(wanted: Derivation, registry: str | None, threads: int | None = None, *, dry_run: bool) -> None:
    """Make the model and print where it lies and its hash; or what that would take."""
    if dry_run:
        from lineal.cli.family_report import print_plan

        print_plan(wanted.plan(registry, threads, TerminalProgress()), resolved(wanted.out).parent)
        return
    model = wanted.make(registry, threads, TerminalProgress())
    say(f"{model.path}  {model.hash}")
