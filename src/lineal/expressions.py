"""Regular expressions that somebody else wrote: one may need longer for a name than anybody lives."""

import re
import time
from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, Final, Literal, final

from lineal.errors import LinealError
from lineal.shown import quoted

if TYPE_CHECKING:
    import regex

SECONDS: Final = 10.0
"""For all the names and expressions of one file."""
LONGEST: Final = 1000
"""Letters of an expression."""
MOST_REPEATS: Final = 10_000
"""What the counts of an expression may multiply to: they are unrolled when it is compiled."""

_COUNTS = re.compile(r"\{(\d*),?(\d*)\}")


@final
class Expressions:
    """Compares names with the expressions of one file, for so many seconds in all; more is an error, and no answer.

    What is an expression is what Python's `re` takes for one, since whoever wrote it had that in mind.
    """

    def __init__(self, place: object, error: type[LinealError], seconds: float = SECONDS) -> None:
        self._place, self._error, self._left = place, error, seconds
        self._compiled: dict[str, regex.Pattern[str]] = {}

    def first(self, expressions: Iterable[str], name: str) -> str | None:
        """The first expression that is the whole name, or its end behind a dot: as PEFT reads its patterns."""
        return next((one for one in expressions if self._ask(rf"(.*\.)?({one})$", name, one)), None)

    def whole(self, expression: str, name: str) -> bool:
        """Whether the expression is the whole name."""
        return self._ask(expression, name, expression, "fullmatch")

    def begins(self, expression: str, name: str) -> bool:
        """Whether the name begins with the expression."""
        return self._ask(expression, name, expression)

    def found(self, expression: str, name: str) -> bool:
        """Whether the expression is anywhere in the name."""
        return self._ask(expression, name, expression, "search")

    def check(self, expression: str) -> None:
        """Refuse what is no expression, before there are names."""
        _ = self._compiled.get(expression) or self._compile(expression, expression)

    def _ask(
        self, expression: str, name: str, written: str, how: Literal["match", "fullmatch", "search"] = "match"
    ) -> bool:
        pattern = self._compiled.get(expression) or self._compile(expression, written)
        begun = time.monotonic()
        try:
            compare = {"match": pattern.match, "fullmatch": pattern.fullmatch, "search": pattern.search}[how]
            return compare(name, timeout=max(self._left, 0.0)) is not None
        except TimeoutError:
            raise self._fault(f"the expression {quoted(written)} takes too long to compare with names") from None
        finally:
            self._left -= time.monotonic() - begun

    def _compile(self, expression: str, written: str) -> "regex.Pattern[str]":
        if len(written) > LONGEST:
            raise self._fault(f"an expression of {len(written)} letters; at most {LONGEST} are read")
        counts = (max(int(number) for number in found if number) for found in _COUNTS.findall(written) if any(found))
        if prod(max(1, count) for count in counts) > MOST_REPEATS:
            raise self._fault(f"the expression {quoted(written)} repeats more than {MOST_REPEATS} times")
        import regex  # few adapters have an expression

        try:
            re.compile(expression)
            compiled = regex.compile(expression)
        except (re.error, regex.error, RecursionError, OverflowError) as error:
            raise self._fault(f"{quoted(written)} is not a regular expression: {error}") from None
        self._compiled[expression] = compiled
        return compiled

    def _fault(self, said: str) -> LinealError:
        return self._error(f"{self._place}: {said}")
