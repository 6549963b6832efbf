"""The family tree in the terminal: each model once, under its first parent; under the others, a reference to it."""

from collections.abc import Iterator, Mapping, Sequence

from lineal.cli.tables import Part, Text, Tree, show
from lineal.cli.tables import line as line_of
from lineal.lineage.questions.graph import Edge, FamilyGraph, Node, family_graph
from lineal.lineage.questions.layouts import ANOTHER_LAYOUT, Relaid
from lineal.lineage.records.wording import count, figure, size, summary
from lineal.lineage.registry import Registry
from lineal.shown import printable

DEEPEST = 24
"""Levels drawn under each other; what lies deeper begins a tree of its own below."""

_GUIDE_WIDTH = 4
_EVIDENCE_STYLES = {"contradicted": "bold red", "claimed": "yellow", "inferred": "yellow"}


def print_tree(registry: Registry, models: Sequence[bytes], depth: int | None = None, every_step: bool = False) -> None:
    """Print these models and their ancestors, roots first."""
    print_graph(family_graph(registry, models, depth, every_step))


def print_graph(graph: FamilyGraph) -> None:
    show(*trees(graph))


def trees(graph: FamilyGraph) -> Iterator[Tree]:
    """One tree a root, and one for every branch that would grow wider than a screen."""
    children: dict[bytes, dict[bytes, Edge]] = {}
    home: dict[bytes, bytes] = {}
    for edge in graph.edges:
        _ = home.setdefault(edge.child, edge.parent)
        _ = children.setdefault(edge.parent, {}).setdefault(edge.child, edge)
    levels = _levels(graph, home)
    lines = _lines(graph, levels)
    labels = {node.model_hash: node.label for node in graph.nodes}
    for node in (node for node in graph.nodes if levels[node.model_hash] == 0):
        tree = Tree(lines[node.model_hash], guide_style="dim")
        branches = [(tree, node.model_hash)]
        while branches:
            branch, model = branches.pop()
            for edge in children.get(model, {}).values():
                if home[edge.child] != model:
                    _ = branch.add(_reference(edge, labels[edge.child], f"see under {labels[home[edge.child]]}"))
                elif levels[edge.child] == 0:
                    _ = branch.add(_reference(edge, labels[edge.child], "continued below"))
                else:
                    branches.append((branch.add(lines[edge.child]), edge.child))
        yield tree


def _levels(graph: FamilyGraph, home: Mapping[bytes, bytes]) -> dict[bytes, int]:
    levels: dict[bytes, int] = {}
    for model in (node.model_hash for node in graph.nodes):
        levels[model] = (levels[home[model]] + 1) % DEEPEST if model in home else 0
    return levels


def _reference(edge: Edge, label: str, place: str) -> Text:
    return line_of(f"\u2192 {label} ({edge.made_by}, as {edge.role}; {place})", style="dim")


def _lines(graph: FamilyGraph, levels: Mapping[bytes, int]) -> dict[bytes, Text]:
    """A line for each model; what they have in common stands under each other."""
    cells = {node.model_hash: _cells(node) for node in graph.nodes}
    texts = list(dict.fromkeys(text for node in graph.nodes for text in node.perplexities))
    widths = [max((len(row[i][0]) for row in cells.values()), default=0) for i in range(3)]
    name_width = max((len(n.label) + _GUIDE_WIDTH * levels[n.model_hash] for n in graph.nodes), default=0)
    figures = {text: max(len(f) for f in _figures(graph.nodes, text)) for text in texts}
    lines: dict[bytes, Text] = {}
    for node in graph.nodes:
        label = node.label.ljust(name_width - _GUIDE_WIDTH * levels[node.model_hash])
        parts: list[Part] = [(f"{label}  ", "bold")]
        for (words, style), width in zip(cells[node.model_hash], widths, strict=True):
            parts.append((words.ljust(width) + "  " if width else "", style))
        for text, width in figures.items():
            name = f"{printable(text)} "
            shown = figure(node.perplexities[text]) if text in node.perplexities else ""
            parts += [(name if shown else " " * len(name), "dim"), shown.rjust(width) + "  "]
        lines[node.model_hash] = line_of(*parts, *_attested(node, graph.relaid))
        lines[node.model_hash].rstrip()
    return lines


def _figures(nodes: Sequence[Node], text: str) -> list[str]:
    return [figure(node.perplexities[text]) for node in nodes if text in node.perplexities]


def _cells(node: Node) -> tuple[tuple[str, str], ...]:
    version = (f"{node.version.version} {node.version.stage.value}" if node.version else "", "magenta")
    if node.model.parameters is None or node.model.tensor_bytes is None:
        return version, (node.made_by or "unresolved", "yellow"), ("never added here", "dim")
    adapter = "adapter, " if node.model.form == "adapter" else ""
    made_of = f"{adapter}{count(node.model.parameters)} params, {size(node.model.tensor_bytes)}"
    return version, (node.made_by or "origin unknown", "cyan" if node.made_by else "yellow"), (made_of, "dim")


def _attested(node: Node, relaid: Relaid) -> list[Part]:
    """The evidence of its making, and with every step shown, what else gave the same model."""
    parts: list[Part] = []
    if node.evidence is not None:
        parts.append((node.evidence.value, _EVIDENCE_STYLES.get(node.evidence.value, "green")))
    if relaid and node.steps and (node.model_hash, node.steps[0].step.derivation_id) in relaid:
        parts.append((f"  {ANOTHER_LAYOUT}", "dim"))
    parts += [(f"  also {summary(other.step)} ({other.evidence.value})", "dim") for other in node.steps[1:]]
    return parts
