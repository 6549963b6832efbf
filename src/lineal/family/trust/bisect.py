"""Bisection with models on this disk: each suspect is scored on a text, or given to a command."""

import math
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

from lineal.errors import LinealError, UsageError
from lineal.family.build.evaluation import evaluate_alone
from lineal.family.session import LocalModel, Session
from lineal.lineage.questions.bisection import Bisection, suspects_between
from lineal.shown import quoted
from lineal.system_words import reason

_CANNOT_TELL = 125
"""What a command exits with when it cannot judge a model, as for git bisect run."""

IsBad: TypeAlias = Callable[[LocalModel], bool | None]
"""None where it cannot be told."""


@final
@dataclass(frozen=True)
class Culprit:
    """first_bad: the earliest model that is bad; suspects: all it may have been, one unless some could not be tried."""

    first_bad: bytes
    suspects: tuple[bytes, ...]
    tried: int


def bisect(session: Session, good: bytes, bad: bytes, is_bad: IsBad) -> Culprit:
    """Halve what lies between them until one is left. That they are good and bad is taken at its word."""
    search = Bisection(suspects_between(session.registry, good, bad), bad)
    tried = 0
    while (model := search.next()) is not None:
        label = session.registry.label(model)
        try:
            local = session.by_hash(model)
        except LinealError as error:
            session.progress.say(f"{label}: skipped, {error}")
            search.skip(model)
            continue
        answer = is_bad(local)
        tried += 1
        if answer is None:
            search.skip(model)
        else:
            search.tell(model, is_bad=answer)
        said = "cannot be told" if answer is None else "bad" if answer else "good"
        session.progress.say(f"{label}: {said}, {len(search.suspects)} suspects left")
    return Culprit(search.bad, tuple(sorted(search.suspects)), tried)


def by_command(command: str) -> IsBad:
    """A command, with the model's place for `{}` or behind it: exit 0 is good, 125 cannot be told, all else is bad."""
    try:
        words = shlex.split(command)
    except ValueError:
        raise UsageError(f"the command {quoted(command)} has a quotation that does not end") from None
    if not words:
        raise UsageError("the command is empty")

    def is_bad(local: LocalModel) -> bool | None:
        asked = [word.replace("{}", str(local.path)) for word in words]
        if asked == words:
            asked.append(str(local.path))
        try:
            ran = subprocess.run(asked, check=False, stdout=subprocess.DEVNULL)  # noqa: S603 - the user's own command
        except OSError as error:
            raise UsageError(f"{words[0]}: {reason(error)}") from None
        return None if ran.returncode == _CANNOT_TELL else ran.returncode != 0

    return is_bad


def by_text(session: Session, good: bytes, bad: bytes, text: Path) -> IsBad:
    """Bad is whose perplexity on the text is nearer to the bad model's, on a logarithmic scale."""
    if not text.is_file():
        raise UsageError(f"no text {text}")

    def nats(local: LocalModel) -> float:
        (score,) = evaluate_alone(session, local, {text.name: text})
        return math.log(score.perplexity or 1.0)

    best, worst = (nats(session.by_hash(model)) for model in (good, bad))
    if not best < worst:
        raise UsageError(
            f"the bad model is not worse on {text.name}: perplexity {math.exp(worst):.4g}, the good one's "
            f"{math.exp(best):.4g}"
        )
    middle = (best + worst) / 2
    return lambda local: nats(local) > middle
