"""The family tree as a picture: one self-contained SVG, parents above children."""

from collections.abc import Sequence

from lineal.lineage.questions.graph import Edge, FamilyGraph, Node
from lineal.lineage.shown.picture.cards import card, card_height
from lineal.lineage.shown.picture.legend import legend
from lineal.lineage.shown.picture.lines import line
from lineal.lineage.shown.picture.look import STYLE, Strand
from lineal.lineage.shown.picture.sheet import MARGIN, sheet

BEFORE_LEGEND = 26.0
_TITLE = 'role="img" aria-label="Family tree of '


def draw(graph: FamilyGraph) -> str:
    """A family as SVG: no fonts, scripts or files from elsewhere; light, on a ground of its own for dark pages."""
    nodes = graph.nodes
    number = {node.model_hash: index for index, node in enumerate(nodes)}
    strands = _strands(graph)
    laid_out = sheet(
        [card_height(node) for node in nodes], [(number[parent], number[child]) for parent, child in strands]
    )
    best = _lowest(nodes)
    edges = zip(laid_out.edges, strands.items(), strict=True)
    lines = [line(points, strand, nodes[number[parent]].kind) for points, ((parent, _), strand) in edges]
    cards = [card(node, *corner, best) for node, corner in zip(nodes, laid_out.cards, strict=True)]
    below = laid_out.height + BEFORE_LEGEND
    explained, height = legend(nodes, set(strands.values()), MARGIN, below, laid_out.width - 2 * MARGIN)
    return _page([*lines, *cards, explained], len(nodes), laid_out.width, below + height + MARGIN * 0.75)


def is_drawn(text: str) -> bool:
    """Whether a text begins as `draw` begins one."""
    return text.startswith("<svg ") and _TITLE in text


def _strands(graph: FamilyGraph) -> dict[tuple[bytes, bytes], Strand]:
    """What each pair of parent and child is linked by; weights prevail where a parent has several parts."""
    adapters = {node.model_hash for node in graph.nodes if node.model.form == "adapter"}
    strands: dict[tuple[bytes, bytes], Strand] = {}
    for edge in graph.edges:
        strand = _strand(edge, adapters)
        if strands.get((edge.parent, edge.child)) != "weights":
            strands[edge.parent, edge.child] = strand
    return strands


def _strand(edge: Edge, adapters: set[bytes]) -> Strand:
    if edge.role == "teacher":
        return "teacher"
    return "adapter" if edge.role == "adapter" or edge.parent in adapters else "weights"


def _lowest(nodes: Sequence[Node]) -> dict[str, float]:
    """The lowest perplexity on each text on which models differ."""
    lowest: dict[str, list[float]] = {}
    for node in nodes:
        for text, perplexity in node.perplexities.items():
            lowest.setdefault(text, []).append(perplexity)
    return {text: min(figures) for text, figures in lowest.items() if min(figures) < max(figures)}


def _page(parts: Sequence[str], models: int, width: float, height: float) -> str:
    body = "\n".join(part for part in parts if part)
    inside = f'x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}"'
    ground = f'<rect {inside} rx="16" fill="#f8fafc" stroke="#e2e8f0"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" {_TITLE}{models} models">\n'
        f"<style>{STYLE}</style>\n{ground}\n{body}\n</svg>\n"
    )
