"""One model as a card: its name, how it was made, how big it is, and what it scores."""

import math
from collections.abc import Mapping
from typing import TypeAlias

from lineal.derivation.hashes import format_hash
from lineal.lineage.questions.graph import Node
from lineal.lineage.records.wording import count, figure, size
from lineal.lineage.shown.picture.look import ACCENTS, ATTESTED, BOLD, escaped, shortened, text_width
from lineal.lineage.shown.picture.places import CARD_WIDTH
from lineal.shown import printable

Best: TypeAlias = Mapping[str, float]
"""The lowest perplexity of the picture on each text."""

PADDING = 18.0
HEAD_HEIGHT = 82.0
FIGURES_TOP = 16.0
FIGURES_LINE = 20.0
COLUMNS = 2
_RADIUS = 12
_BAR = 5


def card_height(node: Node) -> float:
    if not node.perplexities:
        return HEAD_HEIGHT
    return HEAD_HEIGHT + FIGURES_TOP + FIGURES_LINE * math.ceil(len(node.perplexities) / COLUMNS)


def card(node: Node, left: float, top: float, best: Best) -> str:
    parts = [f"<title>{_tooltip(node)}</title>", _frame(node), *_head(node), *_figures(node, best)]
    return f'<g transform="translate({left:.1f} {top:.1f})">{"".join(parts)}</g>'


def _frame(node: Node) -> str:
    width, height, accent = CARD_WIDTH, card_height(node), ACCENTS[node.kind]
    outline = f'width="{width:g}" height="{height:g}" rx="{_RADIUS}"'
    dashes = ' stroke-dasharray="4 4"' if node.model.is_unresolved else ""
    face = (
        f"M{_BAR} 0H{width - _RADIUS:g}a{_RADIUS} {_RADIUS} 0 0 1 {_RADIUS} {_RADIUS}V{height - _RADIUS:g}"
        f"a{_RADIUS} {_RADIUS} 0 0 1 -{_RADIUS} {_RADIUS}H{_BAR}z"
    )
    return (
        f'<rect y="3" {outline} fill="#0f172a" opacity="0.06"/><rect {outline} fill="{accent}"/>'
        f'<path d="{face}" fill="#ffffff"/><rect {outline} fill="none" stroke="#cbd5e1"{dashes}/>'
    )


def _head(node: Node) -> list[str]:
    kind = node.kind or ("unresolved" if node.model.is_unresolved else "unknown origin")
    accent = ACCENTS[node.kind]
    pill = text_width(kind, 10.5 * BOLD) + 12
    pill_left = CARD_WIDTH - 12 - pill
    middle = pill_left + pill / 2
    room = CARD_WIDTH - 2 * PADDING
    attested, attested_width = _attested(node)
    name = shortened(printable(node.label), 15 * BOLD, pill_left - PADDING - 8)
    made_by = shortened(node.made_by, 12.5, room - attested_width)
    return [
        f'<text class="name" x="{PADDING:g}" y="29">{escaped(name)}</text>',
        f'<rect x="{pill_left:.1f}" y="14" width="{pill:.1f}" height="20" rx="10" fill="{accent}" opacity="0.12"/>',
        f'<text class="kind" x="{middle:.1f}" y="27.8" text-anchor="middle" fill="{accent}">{kind}</text>',
        f'<text class="made" x="{PADDING:g}" y="50">{escaped(made_by)}</text>',
        attested,
        f'<text class="size" x="{PADDING:g}" y="69">{escaped(shortened(_size(node), 11.5, room))}</text>',
    ]


def _attested(node: Node) -> tuple[str, float]:
    """How well its making is attested, where that is not the ordinary thing, and the width it takes."""
    if node.evidence is None or node.evidence not in ATTESTED:
        return "", 0
    words, colour = ATTESTED[node.evidence]
    right = CARD_WIDTH - 14
    shown = f'<text class="kind" x="{right:g}" y="50" text-anchor="end" fill="{colour}">{words}</text>'
    return shown, text_width(words, 10.5 * BOLD) + 6


def _figures(node: Node, best: Best) -> list[str]:
    if not node.perplexities:
        return []
    column = (CARD_WIDTH - 2 * PADDING - 16) / COLUMNS
    line = f'<path d="M{PADDING:g} {HEAD_HEIGHT:g}H{CARD_WIDTH - PADDING:g}" stroke="#e2e8f0"/>'
    parts = [line]
    for index, (text, perplexity) in enumerate(node.perplexities.items()):
        left = PADDING + (index % COLUMNS) * (column + 16)
        base = HEAD_HEIGHT + FIGURES_LINE * (index // COLUMNS + 1)
        value = figure(perplexity)
        name = shortened(printable(text), 11.5, column - text_width(value, 12.5 * BOLD) - 4)
        marked = " best" if perplexity == best.get(text) else ""
        parts.append(
            f'<text class="text" x="{left:g}" y="{base:g}">{escaped(name)}</text>'
            f'<text class="figure{marked}" x="{left + column:g}" y="{base:g}" text-anchor="end">{value}</text>'
        )
    return parts


def _size(node: Node) -> str:
    if node.model.parameters is None or node.model.tensor_bytes is None:
        return "never added here"
    form = "adapter \u00b7 " if node.model.form == "adapter" else ""
    return f"{form}{count(node.model.parameters)} params \u00b7 {size(node.model.tensor_bytes)}"


def _tooltip(node: Node) -> str:
    evidence = f", {node.evidence.value}" if node.evidence else ""
    said = f"{node.label}: {node.made_by or 'unknown origin'}{evidence}"
    return f"{escaped(said)}\n{format_hash(node.model_hash)}"
