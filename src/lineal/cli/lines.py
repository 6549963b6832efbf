"""Lines with styled parts: by rich on a terminal; where nobody sees styles, as they are and without loading it."""

import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

from lineal.cli.terminal import say

Part: TypeAlias = tuple[str, str]
"""A text and its style, as rich names it; none is empty."""


def show_lines(lines: Sequence[Sequence[Part]]) -> None:
    """Each on a line of its own, which is never cut to the width of a terminal."""
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        from lineal.cli.tables import line, show

        show(*(line(*parts) for parts in lines), soft_wrap=True)
    else:
        say(*("".join(text for text, _ in parts) for parts in lines))
