"""Text from outside as it may be shown: a name in a file may hold what moves a cursor or turns the reading order."""

SHOWN = 200
"""Characters of a value found that are quoted."""
LONGEST_LINE = 2000
"""Characters of one line of an error."""


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
