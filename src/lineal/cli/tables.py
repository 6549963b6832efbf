"""Tables and trees on stdout, through the same gate: every text that is put into them is one line and no markup."""

import sys
from collections.abc import Sequence
from typing import Any, TypeAlias, final

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lineal.cli.terminal import ReaderGone
from lineal.shown import printable

__all__ = ("Part", "Table", "Text", "Tree", "line", "show", "table")

Part: TypeAlias = str | tuple[str, str]
"""A text, or a text and its style."""

_WIDTH_OF_FILES = 500


@final
class _Gate(Console):
    """Plain strings, in tables and trees too, are rendered here: as they are, what is not printable escaped."""

    def render_str(
        self, text: str, *_: Any, style: Any = "", justify: Any = None, overflow: Any = None, **__: Any
    ) -> Text:
        return Text(printable(text), style=style, justify=justify, overflow=overflow)

    def on_broken_pipe(self) -> None:
        raise ReaderGone


def line(*parts: Part, style: str = "") -> Text:
    """One line of parts, each a text or a text with its style."""
    styled = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(*((printable(text), own) for text, own in styled), style=style)


def table(*left: str, right: Sequence[str] = (), **options: Any) -> Table:
    """A table without lines: columns set to the left, then those of figures, to the right."""
    made = Table(*left, box=None, pad_edge=False, **options)
    for column in right:
        made.add_column(column, justify="right")
    return made


def show(*rendered: Table | Tree | Text, soft_wrap: bool = False) -> None:
    """Each below the other: as wide as a terminal is; in a file or a pipe no line is wrapped.

    soft_wrap: for what is read as lines, which then are never cut to the width of a terminal.
    """
    console = _Gate(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES, soft_wrap=soft_wrap)
    for one in rendered:
        console.print(one)
