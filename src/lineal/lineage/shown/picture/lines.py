"""Edges as curves: smooth between the rows, straight through the gaps that waypoints keep open in a row."""

from collections.abc import Sequence
from itertools import pairwise

from lineal.derivation.step import Kind
from lineal.lineage.shown.picture.look import ACCENTS, DASHES, Strand
from lineal.lineage.shown.picture.sheet import Point

ARROW = 8.0


def line(points: Sequence[Point], strand: Strand, kind: Kind | None) -> str:
    """An edge with its arrow head, in the colour of its parent's kind: so edges that share a way look alike."""
    accent = ACCENTS[kind]
    return (
        f'<path class="edge" d="{_curve(points)}" stroke="{accent}" stroke-opacity="0.7"{dashes(strand)}/>'
        + _arrow_head(points[-1], accent)
    )


def dashes(strand: Strand) -> str:
    return f' stroke-dasharray="{DASHES[strand]}"' if strand in DASHES else ""


def _curve(points: Sequence[Point]) -> str:
    *way, (tip_x, tip_y) = points
    way.append((tip_x, tip_y - ARROW))
    parts = [f"M{way[0][0]:.1f} {way[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(way):
        middle = (y0 + y1) / 2
        curved = abs(x0 - x1) > 0.05
        parts.append(f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}" if curved else f"V{y1:.1f}")
    return "".join(parts)


def _arrow_head(tip: Point, accent: str) -> str:
    x, y = tip
    return f'<path d="M{x:.1f} {y:.1f}l-4.6 -{ARROW + 1:g}q4.6 2.6 9.2 0z" fill="{accent}"/>'
