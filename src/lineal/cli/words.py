"""Command lines of verbs whose options depend on a method: models first, then options."""

from pathlib import Path

from lineal.checkpoint.inside import resolved
from lineal.cli.terminal import say
from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.family.build.one_off import derive, overridden
from lineal.family.file.recipe import Family
from lineal.family.session import Session


def models_and_options(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before the first --option, and the rest."""
    first = next((index for index, word in enumerate(words) if word.startswith("--")), len(words))
    if first == 0:
        raise UsageError("name the models first, then the options")
    return words[:first], words[first:]


def one_model_and_options(words: list[str], done: str) -> tuple[str, list[str]]:
    """The same for a verb that takes one model; `done` is what happens to it."""
    models, options = models_and_options(words)
    if len(models) != 1:
        raise UsageError(f"one model is {done} at a time, got {', '.join(models)}")
    return models[0], options


def make_or_plan(session: Session, family: Family, out: Path, *, dry_run: bool, licence: str | None) -> None:
    """Derive the family's last model, which is `out`, and print where it lies and its hash; or what that would take.

    licence: an override of its licence, with the reason.
    """
    family = overridden(family, out, licence)
    if dry_run:
        from lineal.cli.family_report import print_plan_of

        print_plan_of(session, family, resolved(out).parent, [], as_json=False)
        return
    local = derive(session, family, out)
    say(f"{local.path}  {format_hash(local.model_hash)}")
