"""The legend: the kinds of models, the kinds of lines and the figures that this picture holds, and no others."""

from collections.abc import Container, Sequence

from lineal.lineage.questions.graph import Node
from lineal.lineage.shown.picture.lines import dashes
from lineal.lineage.shown.picture.look import ACCENTS, Strand, text_width

_FONT_SIZE = 11.5
_STRANDS: dict[Strand, str] = {"weights": "weights", "adapter": "an adapter's update", "teacher": "a teacher's answers"}


def legend(
    nodes: Sequence[Node], strands: Container[Strand], left: float, top: float, width: float
) -> tuple[str, float]:
    """The legend's SVG and its height: its items stand in lines as wide as the picture."""
    items = [*_kinds(nodes), *_lines(strands), *_figures(nodes)]
    x, y = left, top + 12
    parts: list[str] = []
    for mark, mark_width, words in items:
        item_width = mark_width + 7 + text_width(words, _FONT_SIZE)
        if x > left and x + item_width > left + width:
            x, y = left, y + 20
        parts.append(f'<g transform="translate({x:.1f} {y:.1f})">{mark}')
        parts.append(f'<text class="text" x="{mark_width + 7:g}" y="4">{words}</text></g>')
        x += item_width + 16
    return "".join(parts), y - top + 8


def _kinds(nodes: Sequence[Node]) -> list[tuple[str, float, str]]:
    present = {node.kind for node in nodes}
    return [
        (f'<rect x="0" y="-5" width="10" height="10" rx="3" fill="{accent}"/>', 10, kind or "origin unknown")
        for kind, accent in ACCENTS.items()
        if kind in present
    ]


def _lines(strands: Container[Strand]) -> list[tuple[str, float, str]]:
    return [
        (f'<path class="edge" d="M0 0H26" stroke="#475569"{dashes(strand)}/>', 26, words)
        for strand, words in _STRANDS.items()
        if strand in strands
    ]


def _figures(nodes: Sequence[Node]) -> list[tuple[str, float, str]]:
    if not any(node.perplexities for node in nodes):
        return []
    return [('<text class="figure best" x="0" y="4">12.3</text>', 28, "perplexity on a text, the lowest in green")]
