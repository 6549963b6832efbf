"""A family as a graph to look at: some models, all they were made from, and how."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from lineal.derivation.step import Kind, Role
from lineal.lineage.database.connection import Connection
from lineal.lineage.questions.layouts import Relaid, another_layout_of
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Evaluation, KnownModel, ModelVersion, StepRecord
from lineal.lineage.records.wording import summary
from lineal.lineage.registry import Registry
from lineal.lineage.tables import evaluations, models, references, steps, versions
from lineal.lineage.tables.order import in_order


@final
@dataclass(frozen=True)
class Node:
    """A model with what is shown of it. steps: those asked for, the one that made it first."""

    model: KnownModel
    label: str
    steps: tuple[StepRecord, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    versions: tuple[ModelVersion, ...] = ()

    @property
    def model_hash(self) -> bytes:
        return self.model.model_hash

    @property
    def kind(self) -> Kind | None:
        return self.steps[0].step.type if self.steps else None

    @property
    def made_by(self) -> str:
        """What made it, such as `lora r=16`; empty where nobody knows."""
        return summary(self.steps[0].step) if self.steps else ""

    @property
    def evidence(self) -> Evidence | None:
        return self.steps[0].evidence if self.steps else None

    @property
    def version(self) -> ModelVersion | None:
        """The highest that it has under the name it goes by."""
        name = self.label.rpartition(":")[2].partition("@")[0]
        return next((known for known in self.versions if known.name == name), None)

    @property
    def perplexities(self) -> Mapping[str, float]:
        """By text, the latest of each."""
        return {e.text: e.perplexity for e in self.evaluations if e.perplexity is not None}


@final
@dataclass(frozen=True)
class Edge:
    """A parent's part in one of its child's steps."""

    parent: bytes
    child: bytes
    role: Role
    made_by: str
    evidence: Evidence


@final
@dataclass(frozen=True)
class FamilyGraph:
    """Nodes, parents before children; edges by child, then in the order of its steps and their inputs."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    relaid: Relaid = field(default_factory=dict[tuple[bytes, bytes], bytes])


def family_graph(
    registry: Registry, asked_for: Sequence[bytes], depth: int | None = None, every_step: bool = False
) -> FamilyGraph:
    """The graph of these models and their ancestors, at most `depth` generations back.

    Models are linked by the step that was recorded first; with every_step, by all of them.
    """
    with registry.reading() as connection:
        shown = _generations(connection, asked_for, depth, every_step)
        facts = models.facts(connection, shown)
        labels = references.labels(connection, shown)
        evaluated = evaluations.of_models(connection, shown)
        numbered = versions.of_models(connection, shown)
        relaid = another_layout_of(connection, (record for made in shown.values() for record in made), facts)
    edges = {digest: _edges(made, shown) for digest, made in shown.items()}
    order = _parents_first(edges)
    return FamilyGraph(
        tuple(Node(facts[d], labels[d], shown[d], evaluated.get(d, ()), numbered.get(d, ())) for d in order),
        tuple(edge for digest in order for edge in edges[digest]),
        relaid,
    )


def _parents_first(edges: Mapping[bytes, Sequence[Edge]]) -> list[bytes]:
    """The models in an order in which none comes before a parent, otherwise as they stand."""
    position = {digest: place for place, digest in enumerate(edges)}
    parents = {position[digest]: [position[edge.parent] for edge in above] for digest, above in edges.items()}
    digests = list(edges)
    return [digests[place] for place in in_order(parents, position.values())]


def _generations(
    connection: Connection, asked_for: Sequence[bytes], depth: int | None, every_step: bool
) -> dict[bytes, tuple[StepRecord, ...]]:
    """Every model to show, with the steps to show of it: generation by generation, from the models asked for."""
    shown: dict[bytes, tuple[StepRecord, ...]] = {}
    generation = list(dict.fromkeys(asked_for))
    while generation:
        made = steps.of_children(connection, generation)
        shown |= {digest: _chosen(made.get(digest, ()), every_step) for digest in generation}
        if depth is not None:
            depth -= 1
            if depth < 0:
                break
        above = (i.model_hash for d in generation for r in shown[d] if not r.reproduces for i in r.step.inputs)
        generation = [digest for digest in dict.fromkeys(above) if digest not in shown]
    return shown


def _chosen(made: Iterable[StepRecord], every_step: bool) -> tuple[StepRecord, ...]:
    """What made a model comes before what merely reproduced it, and what holds before what was contradicted."""
    chosen = sorted(made, key=lambda record: (record.reproduces, record.evidence is Evidence.CONTRADICTED))
    if every_step:
        return tuple(chosen)
    return tuple(record for record in chosen[:1] if not record.reproduces)


def _edges(made: Iterable[StepRecord], shown: Container[bytes]) -> list[Edge]:
    return [
        Edge(used.model_hash, record.child, used.role, summary(record.step), record.evidence)
        for record in made
        if not record.reproduces
        for used in record.step.inputs
        if used.model_hash in shown
    ]
