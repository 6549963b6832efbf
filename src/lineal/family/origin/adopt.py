"""Weights of unknown origin given a place in the lineage: the likeliest step from known models, as inferred."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.derivation.step import Input, Role, Step
from lineal.engines.compare.kinship.contrast import Look
from lineal.engines.compare.kinship.judgement import UNKNOWN, Finding, Relation
from lineal.engines.compare.kinship.mixtures import Mixture, find_mixture
from lineal.errors import AnswerIsNo
from lineal.family.build.distance import full
from lineal.family.origin.add import add_folder
from lineal.family.origin.claims.contradiction import contradictions
from lineal.family.origin.relatives import (
    Kin,
    candidates_for,
    compared,
    looked_at,
    measured,
    nearest,
    ranked,
    rounding_of,
)
from lineal.family.session import Placed, Workshop
from lineal.lineage.records.environment import environment
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Inference, ModelRecord, StepRecord
from lineal.lineage.records.wording import summary

METHOD = "weights"
"""How a step is inferred, in the lineage's record of it."""

_EXPLAINED = 1e-9
"""Share of the squares left by a step that needs no better one."""

_FEWEST = 2

_FORMS = {
    "weighted": "a weighted sum of",
    "masked": "parts of the changes of",
    "between": "entry by entry between",
}
"""How models were combined, in words."""


@final
@dataclass(frozen=True)
class Explanation:
    """A way in which the weights may have come about: what was found, and from which models, in which roles."""

    finding: Finding
    inputs: tuple[tuple[Role, Placed], ...]

    @property
    def is_parent(self) -> bool:
        return self.finding.relation is Relation.PARENT

    @property
    def label(self) -> str:
        """The models it names; what they were, where they were not all alike."""
        return ", ".join(f"{placed.label} (base)" if role == "base" else placed.label for role, placed in self.inputs)

    @property
    def made_by(self) -> str:
        """`merge`, `fine-tune r=8`: type, and what tells it from others."""
        return f"{self.step.type} {summary(self.step).removeprefix(UNKNOWN).strip()}".strip()

    @property
    def step(self) -> Step:
        inputs = tuple(Input(role, placed.model_hash) for role, placed in self.inputs)
        found = self.finding
        return Step(type=found.kind, method=found.method, inputs=inputs, options=found.options)


@final
@dataclass(frozen=True)
class Answer:
    """What was found of one model. same: the known model that it is; ranking: explanations, the likeliest first.

    remarks: what could not be compared, and where the files beside the weights say something else.
    """

    placed: Placed
    same: str | None
    ranking: tuple[Explanation, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def best(self) -> Explanation | None:
        """The one to keep, if the weights tell so much."""
        return self.ranking[0] if self.ranking and self.ranking[0].is_parent else None


def explain(workshop: Workshop, reference: str, folders: Sequence[Path] = ()) -> Answer:
    """Where a model comes from, as far as its weights say; nothing is written."""
    placed = workshop.identify(workshop.find(reference))
    if placed.form == "adapter":
        raise AnswerIsNo(
            f"{reference}: an adapter's matrices do not tell what they were trained on; lineal import reads its config"
        )
    same = _same(workshop, placed)
    if same is not None:
        return Answer(placed, same)
    model = full(placed)
    found, remarks = candidates_for(workshop, placed, folders)
    mine = looked_at(model)
    kin = ranked(compared(workshop, placed, model, mine, found))
    merged = _combined(mine, kin, rounding_of(model))
    if kin and merged is None:
        kin[0] = measured(workshop, model, mine, kin[0])
    ranking = (*([merged] if merged else []), *(_single(one) for one in kin))
    said = contradictions(workshop, placed, [(e.finding, e.inputs) for e in ranking])
    return Answer(placed, None, ranking, (*remarks, *said))


def keep(workshop: Workshop, answer: Answer) -> tuple[str, ...]:
    """Record the best explanation as an inferred step, unless the origin is recorded; remarks on what stands beside it.

    What is known already is never replaced: another answer stands beside it.
    """
    registry, best = workshop.registry, answer.best
    if answer.same is not None:
        _ = registry.add_model(ModelRecord(answer.placed.manifest, answer.placed.form), answer.placed.place.resolve())
    if best is None:
        return ()
    child, step, finding = _registered(workshop, answer.placed), best.step, best.finding
    standing = [record for record in registry.steps_of(child) if not record.reproduces]
    for record in standing:
        if record.evidence.is_witnessed and record.step.inputs:
            return (f"its origin is {record.evidence.value}: {_said(workshop, record.step)}; nothing is inferred",)
    for _, placed in best.inputs:
        _ = _registered(workshop, placed)
    inference = Inference(METHOD, finding.score, finding.p_value, finding.sentence)
    record = StepRecord(step, child, Evidence.INFERRED, environment(), 0.0, time.time(), inference=inference)
    _ = registry.record(record)
    return tuple(
        f"beside it stands, {r.evidence.value} before: {_said(workshop, r.step)}; lineal log --all shows both"
        for r in standing
        if r.step.derivation_id != step.derivation_id
    )


def _combined(mine: Look, kin: Sequence[Kin], rounding: float) -> Explanation | None:
    """A combination of several models, where the likeliest parent alone leaves something to explain."""
    first = kin[0].finding if kin else None
    if first is None or (first.relation is Relation.PARENT and first.kind != "fine-tune"):
        return None
    near = nearest(kin)
    if len(near) < _FEWEST or first.unexplained < _EXPLAINED:
        return None
    mixture = find_mixture(mine.windows, [one.windows for one in near], rounding)
    return None if mixture is None else _merge(mixture, near)


def _single(kin: Kin) -> Explanation:
    """One parent; an adapter that was made part of its base is a merge of the two."""
    placed, finding = kin.candidate.placed, kin.finding
    if placed.form == "adapter" and placed.base is not None and finding.kind in ("fine-tune", "merge"):
        merged = replace(finding, kind="merge", method="adapter", options={})
        return Explanation(merged, (("base", placed.base), ("adapter", placed)))
    return Explanation(finding, (("parent", placed),))


def _merge(mixture: Mixture, near: Sequence[Kin]) -> Explanation:
    chosen = sorted(mixture.models, key=lambda place: (place != mixture.base, place))
    inputs: list[tuple[Role, Placed]] = [
        ("base" if place == mixture.base else "parent", near[place].candidate.placed) for place in chosen
    ]
    shares = dict(zip(mixture.models, mixture.weights, strict=True))
    parents = [f"{near[place].label} {shares[place]:.2f}" for place in chosen if place != mixture.base]
    base = "" if mixture.base is None else f", on {near[mixture.base].label} as the base"
    sentence = f"{_FORMS[mixture.form]} {' and '.join(parents)}{base}; {mixture.left:.1g} of its squares are left over"
    p = max(near[place].finding.p_value for place in chosen)
    return Explanation(Finding(Relation.PARENT, "merge", UNKNOWN, {}, mixture.left, p, sentence), tuple(inputs))


def _same(workshop: Workshop, placed: Placed) -> str | None:
    """The known model that lies at another place and is this one."""
    registry = workshop.registry
    if not registry.knows(placed.model_hash) or registry.model(placed.model_hash).is_unresolved:
        return None
    places = registry.locations(placed.model_hash)
    return None if placed.place.resolve() in places else registry.label(placed.model_hash)


def _registered(workshop: Workshop, placed: Placed) -> bytes:
    """The model in the registry, with a name and the place where it lies."""
    if not workshop.registry.knows(placed.model_hash) or not workshop.registry.locations(placed.model_hash):
        return add_folder(workshop, placed.place).model_hash
    return placed.model_hash


def _said(workshop: Workshop, step: Step) -> str:
    labels = ", ".join(workshop.registry.label(used.model_hash) for used in step.inputs)
    return f"{step.type} of {labels}" if labels else step.type
