"""Rows as lines whose columns stand under each other: the width of a terminal wraps none of them."""

from collections.abc import Collection, Sequence

from lineal.shown import printable


def columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """A line a row, two spaces between columns; right: the places of columns of figures, which are set to the right."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]
