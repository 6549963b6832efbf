"""Why a model is what it is: the steps that led to it, a sentence each, from its roots down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from lineal.derivation.step import Role, Step
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.licensing.graph import Statement
from lineal.lineage.questions.graph import Node, family_graph
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.wording import summary
from lineal.lineage.registry import Registry
from lineal.shown import printable

_DONE = {
    "fine-tune": "was fine-tuned",
    "distillation": "was distilled",
    "merge": "was merged",
    "prune": "was pruned",
    "quantize": "was quantized",
}
_ATTESTED = {
    Evidence.CONTRADICTED: "Recomputing it gave other bytes.",
    Evidence.CLAIMED: "That is claimed, and not known.",
    Evidence.INFERRED: "That is inferred from the weights.",
    Evidence.SIGNED: "It is signed.",
}
"""What is said of a step that lineal did not simply record."""


@final
@dataclass(frozen=True)
class Reason:
    """One model, and what is to be said of how it came about."""

    model: bytes
    label: str
    sentence: str


def why(registry: Registry, model: bytes) -> tuple[Reason, ...]:
    """A sentence for the model and for each of its ancestors, parents before children."""
    nodes = family_graph(registry, [model]).nodes
    labels = {node.model_hash: node.label for node in nodes}
    with registry.reading() as connection:
        stated = licence_records.of_models(connection, labels)
    return tuple(
        Reason(node.model_hash, node.label, _sentence(node, labels) + _overridden(stated.get(node.model_hash)))
        for node in nodes
    )


def _overridden(stated: Statement | None) -> str:
    if stated is None or not stated.override:
        return ""
    return f" Its licence was overridden: {stated.licence}, because {printable(stated.because)}."


def _sentence(node: Node, labels: Mapping[bytes, str]) -> str:
    name = printable(node.label)
    if not node.steps:
        unknown = "was never added here; others were made from it"
        return f"{name} {unknown if node.model.is_unresolved else 'was made from nothing that is known here'}."
    record = node.steps[0]
    said = f"{name} {_told(record.step, labels)}."
    if record.evidence is Evidence.REPLAYED:
        share = "" if record.share in (None, 1.0) else f", {record.share:.0%} of it,"
        return f"{said} Recomputing it{share} gave the same bytes."
    if record.evidence is Evidence.INFERRED and record.inference is not None:
        return f"{said} That is inferred from the weights: {printable(record.inference.reason)}."
    return " ".join([said, *([_ATTESTED[record.evidence]] if record.evidence in _ATTESTED else [])])


def _told(step: Step, labels: Mapping[bytes, str]) -> str:
    data = f" on {_listed([printable(file.name) for file in step.data])}" if step.data else ""
    if step.type == "original":
        return f"was trained from scratch{data}" if step.data else "is an original"

    def of(*roles: Role) -> list[str]:
        return [printable(labels[used.model_hash]) for used in step.inputs if used.role in roles]

    base, student = of("base"), of("student")
    parts = [_DONE[step.type], "from", _listed(of("parent", "adapter", "teacher"))]
    parts += [f"with {_listed(base)} as the base"] if base else []
    parts += [f"into {_listed(student)}"] if student else []
    return f"{' '.join(parts)}{data} ({summary(step)})"


def _listed(names: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
