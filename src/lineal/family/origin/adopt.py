"""Weights of unknown origin given a place in the lineage: the likeliest step from known models, as inferred."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.derivation.step import Input, Role, Step
from lineal.engines.compare.kinship.contrast import Sampled
from lineal.engines.compare.kinship.judgement import UNKNOWN, Finding, Relation
from lineal.engines.compare.kinship.mixtures import Mixture, find_mixture
from lineal.errors import AnswerIsNo
from lineal.family.build.weights import own_weights
from lineal.family.origin.add import add_folder
from lineal.family.origin.claims.contradiction import contradictions
from lineal.family.origin.relatives import (
    Relative,
    candidates_for,
    compared,
    looked_at,
    measured,
    nearest,
    ranked,
    rounding_of,
)
from lineal.family.session import LocalModel, Session
from lineal.lineage.records.environment import environment
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Inference, StepRecord
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
    inputs: tuple[tuple[Role, LocalModel], ...]

    @property
    def is_parent(self) -> bool:
        return self.finding.relation is Relation.PARENT

    @property
    def label(self) -> str:
        """The models it names; what they were, where they were not all alike."""
        return ", ".join(f"{local.label} (base)" if role == "base" else local.label for role, local in self.inputs)

    @property
    def made_by(self) -> str:
        """`merge`, `fine-tune r=8`: type, and what tells it from others."""
        return f"{self.step.type} {summary(self.step).removeprefix(UNKNOWN).strip()}".strip()

    @property
    def step(self) -> Step:
        inputs = tuple(Input(role, local.model_hash) for role, local in self.inputs)
        found = self.finding
        return Step(type=found.kind, method=found.method, inputs=inputs, options=found.options)


@final
@dataclass(frozen=True)
class Answer:
    """What was found of one model. same: the known model that it is; ranking: explanations, the likeliest first.

    remarks: what could not be compared, and where the files beside the weights say something else.
    """

    local: LocalModel
    same: str | None
    ranking: tuple[Explanation, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def best(self) -> Explanation | None:
        """The one to keep, if the weights tell so much."""
        return self.ranking[0] if self.ranking and self.ranking[0].is_parent else None


def explain(session: Session, reference: str, folders: Sequence[Path] = ()) -> Answer:
    """Where a model comes from, as far as its weights say; nothing is written."""
    local = session.identify(session.find(reference))
    if local.form == "adapter":
        raise AnswerIsNo(
            f"{reference}: an adapter's matrices do not tell what they were trained on; lineal import reads its config"
        )
    same = _same(session, local)
    if same is not None:
        return Answer(local, same)
    model = own_weights(local)
    found, remarks = candidates_for(session, local, folders)
    mine = looked_at(model)
    relatives = ranked(compared(session, local, model, mine, found))
    merged = _combined(mine, relatives, rounding_of(model))
    if relatives and merged is None:
        relatives[0] = measured(session, model, mine, relatives[0])
    ranking = (*([merged] if merged else []), *(_single(one) for one in relatives))
    said = contradictions(session, local, [(e.finding, e.inputs) for e in ranking])
    return Answer(local, None, ranking, (*remarks, *said))


def keep(session: Session, answer: Answer) -> tuple[str, ...]:
    """Record the best explanation as an inferred step, unless the origin is recorded; remarks on what stands beside it.

    What is known already is never replaced: another answer stands beside it.
    """
    registry, best = session.registry, answer.best
    if answer.same is not None:
        _ = registry.add_model(answer.local.record, answer.local.path.resolve())
    if best is None:
        return ()
    child, step, finding = _registered(session, answer.local), best.step, best.finding
    standing = [record for record in registry.steps_of(child) if not record.reproduces]
    for record in standing:
        if record.evidence.is_witnessed and record.step.inputs:
            return (f"its origin is {record.evidence.value}: {_said(session, record.step)}; nothing is inferred",)
    for _, local in best.inputs:
        _ = _registered(session, local)
    inference = Inference(METHOD, finding.score, finding.p_value, finding.sentence)
    record = StepRecord(step, child, Evidence.INFERRED, environment(), 0.0, time.time(), inference=inference)
    _ = registry.record(record)
    return tuple(
        f"beside it stands, {r.evidence.value} before: {_said(session, r.step)}; lineal log --all shows both"
        for r in standing
        if r.step.derivation_id != step.derivation_id
    )


def _combined(mine: Sampled, relatives: Sequence[Relative], rounding: float) -> Explanation | None:
    """A combination of several models, where the likeliest parent alone leaves something to explain."""
    first = relatives[0].finding if relatives else None
    if first is None or (first.relation is Relation.PARENT and first.kind != "fine-tune"):
        return None
    near = nearest(relatives)
    if len(near) < _FEWEST or first.unexplained < _EXPLAINED:
        return None
    mixture = find_mixture(mine.windows, [one.windows for one in near], rounding)
    return None if mixture is None else _merge(mixture, near)


def _single(relative: Relative) -> Explanation:
    """One parent; an adapter that was made part of its base is a merge of the two."""
    local, finding = relative.candidate.local, relative.finding
    if local.form == "adapter" and local.base is not None and finding.kind in ("fine-tune", "merge"):
        merged = replace(finding, kind="merge", method="adapter", options={})
        return Explanation(merged, (("base", local.base), ("adapter", local)))
    return Explanation(finding, (("parent", local),))


def _merge(mixture: Mixture, near: Sequence[Relative]) -> Explanation:
    chosen = sorted(mixture.models, key=lambda place: (place != mixture.base, place))
    inputs: list[tuple[Role, LocalModel]] = [
        ("base" if place == mixture.base else "parent", near[place].candidate.local) for place in chosen
    ]
    shares = dict(zip(mixture.models, mixture.weights, strict=True))
    parents = [f"{near[place].label} {shares[place]:.2f}" for place in chosen if place != mixture.base]
    base = "" if mixture.base is None else f", on {near[mixture.base].label} as the base"
    sentence = f"{_FORMS[mixture.form]} {' and '.join(parents)}{base}; {mixture.left:.1g} of its squares are left over"
    p = max(near[place].finding.p_value for place in chosen)
    return Explanation(Finding(Relation.PARENT, "merge", UNKNOWN, {}, mixture.left, p, sentence), tuple(inputs))


def _same(session: Session, local: LocalModel) -> str | None:
    """The known model that lies at another place and is this one."""
    registry = session.registry
    if not registry.knows(local.model_hash) or registry.model(local.model_hash).is_unresolved:
        return None
    places = registry.locations(local.model_hash)
    return None if local.path.resolve() in places else registry.label(local.model_hash)


def _registered(session: Session, local: LocalModel) -> bytes:
    """The model in the registry, with a name and the place where it lies."""
    if not session.registry.knows(local.model_hash) or not session.registry.locations(local.model_hash):
        return add_folder(session, local.path).model_hash
    return local.model_hash


def _said(session: Session, step: Step) -> str:
    labels = ", ".join(session.registry.label(used.model_hash) for used in step.inputs)
    return f"{step.type} of {labels}" if labels else step.type
