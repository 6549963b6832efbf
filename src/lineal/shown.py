"""Text from outside as it may be shown: a name in a file may hold what moves a cursor or turns the reading order."""

from collections.abc import Sequence

SHOWN = 200
"""Characters of a value found that are quoted."""
LONGEST_LINE = 2000
"""Characters of one line of an error."""
_MOST_FAULTS = 12


def printable(text: str) -> str:
    """One line of text as a terminal may show it: control, format and line-breaking characters as escapes."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def quoted(value: object) -> str:
    """A value found, as Python writes it: of one that is long, its beginning."""
    if isinstance(value, str | bytes):
        return f"{value[:SHOWN]!r}{'...' if len(value) > SHOWN else ''}"
    return shortened(repr(value))


def shortened(text: str, longest: int = SHOWN) -> str:
    """The beginning of a text that is longer than so many characters."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def listed(faults: Sequence[str]) -> str:
    """What stands against something, in one line: the first of many faults, and how many more there are."""
    more = len(faults) - _MOST_FAULTS
    return "; ".join([*faults[:_MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])])
