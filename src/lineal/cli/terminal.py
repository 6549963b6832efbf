"""The gate to the terminal: results on stdout, remarks on stderr, and nothing else in lineal writes to either.

What is shown comes from files and databases of others. A line is a line, whatever is in it: what would move the cursor,
colour the screen, begin another line or turn the reading order is written as an escape.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO
from unicodedata import bidirectional, category

from lineal.shown import printable

_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""Bidirectional classes of the marks that turn the reading order of what is around them."""


class ReaderGone(Exception):
    """Whoever read stdout has closed it, as `head` does: there is nothing left to be said, and nothing went wrong."""


def say(*lines: str) -> None:
    """Lines of the answer, on stdout."""
    _write("".join(f"{printable(line)}\n" for line in lines))


def remark(*lines: str) -> None:
    """Lines about the work, on stderr; where nobody listens any more the work goes on."""
    with suppress(BrokenPipeError):
        print(*map(printable, lines), sep="\n", end="\n" if lines else "", file=sys.stderr, flush=True)


def say_piece(text: str) -> None:
    """Part of a running text, at once, with its line breaks and tabs."""
    _write("".join(letter if _is_text(letter) else ascii(letter)[1:-1] for letter in text))
    flush()


def print_json(value: Any) -> None:
    """A value for other programs; whatever reads it as JSON gets the very texts."""
    import json

    written = json.dumps(value, indent=2, ensure_ascii=not _takes_unicode(sys.stdout))
    escaped = "".join(letter if letter == "\n" or letter.isprintable() else _json_escape(letter) for letter in written)
    _write(f"{escaped}\n")


def open_gate() -> None:
    """What an encoding has no letter for is escaped from now on, whoever writes it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Whatever was said reaches its reader now, or its error is raised now."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def settle() -> None:
    """What was said is written or, where it cannot be, forgotten: nothing tries once more as the interpreter ends."""
    try:
        flush()
    except (OSError, ReaderGone):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _write(text: str) -> None:
    try:
        if sys.stdout is not None:
            _ = sys.stdout.write(text)
    except BrokenPipeError:
        raise ReaderGone from None


def _is_text(letter: str) -> bool:
    return letter in "\n\t" or not (category(letter) in ("Cc", "Cs", "Zl", "Zp") or bidirectional(letter) in _TURNS)


def _takes_unicode(stream: TextIO | None) -> bool:
    encoding: str | None = getattr(stream, "encoding", None)
    return encoding is None or encoding.lower().replace("-", "") == "utf8"


def _json_escape(letter: str) -> str:
    """As JSON writes it, in halves where it lies beyond 16 bits."""
    import json

    return json.dumps(letter)[1:-1] if not letter.isascii() else f"\\u{ord(letter):04x}"
