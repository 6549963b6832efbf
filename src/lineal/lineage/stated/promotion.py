"""Whether a version may go on to a stage: no taint, no conflict of licences, and every policy that applies met."""

from collections.abc import Iterable, Iterator

from lineal.errors import AnswerIsNo
from lineal.lineage.database.connection import Connection
from lineal.lineage.licensing import effective
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Evaluation, ModelVersion
from lineal.lineage.records.stages import FORWARD, Stage
from lineal.lineage.registry import Registry
from lineal.lineage.stated import policies
from lineal.lineage.stated.policies import Policy
from lineal.lineage.tables import edges, evaluations, models, references, steps, taints, versions
from lineal.shown import printable

QUALITY_SCORE = "quality_score"
MEASURED = ("perplexity", "bits_per_byte", "kl")
"""What lineal measured itself, of a text: `perplexity:TEXT`."""


def promote(registry: Registry, reference: str, stage: Stage) -> tuple[ModelVersion, ModelVersion]:
    """Move the version that NAME@VERSION means a step on or back: what it was, and what it is.

    The answer is no, with everything that is unmet at once, where it may not go on.
    """
    with registry.writing() as connection:
        version = references.version(connection, reference)
        unmet = list(_unmet(connection, version, stage)) if (version.stage, stage) in FORWARD else []
        if unmet:
            raise AnswerIsNo(*(f"{version} cannot go to {stage.value}: {point}" for point in unmet))
        return version, versions.promote(connection, version, stage)


def _unmet(connection: Connection, version: ModelVersion, stage: Stage) -> Iterator[str]:
    for taint in taints.of_model(connection, version.model_hash):
        whose = references.labels(connection, [taint.model])[taint.model]
        if taint.data is None:
            yield f"it is tainted by {whose} ({printable(taint.reason)}): lineal clear {whose} takes that back"
        else:
            file = printable(taint.data)
            yield (
                f"it is tainted by {file}, which {whose} was made on ({printable(taint.reason)}): "
                f"lineal clear --data {file} takes that back"
            )
    judged = effective.of_model(connection, version.model_hash)
    yield from map(str, judged.conflicts)
    scores = evaluations.of_models(connection, [version.model_hash]).get(version.model_hash, ())
    for policy in policies.applying(connection, version.family, version.name, stage):
        yield from _metrics(policy, version, scores)
        if policy.evidence is not None:
            yield from _evidence(connection, version.model_hash, policy.evidence)
        if policy.licences is not None:
            for one in judged.contributions:
                if one.licence not in policy.licences:
                    yield f"{one}; allowed: {', '.join(policy.licences)}"


def _metrics(policy: Policy, version: ModelVersion, scores: Iterable[Evaluation]) -> Iterator[str]:
    bounds = [(metric, bound, "least") for metric, bound in policy.least.items()]
    bounds += [(metric, bound, "most") for metric, bound in policy.most.items()]
    known = list(scores)
    for metric, bound, side in bounds:
        figures = _figures(metric, version, known)
        needed = f"at {side} {bound:.10g} is needed"
        if not figures:
            yield f"{printable(metric)} is not known, {needed}"
        worst = min(figures, default=bound) if side == "least" else max(figures, default=bound)
        if (worst < bound) if side == "least" else (worst > bound):
            yield f"{printable(metric)} is {worst:.10g}, {needed}"


def _figures(metric: str, version: ModelVersion, scores: Iterable[Evaluation]) -> list[float]:
    """What is known of a metric; of what was measured, under every setting."""
    measure, colon, told = metric.partition(":")
    if colon and measure in MEASURED:
        found: list[float | None] = [getattr(score, measure) for score in scores if score.text == told]
    elif metric == QUALITY_SCORE:
        found = [version.quality_score]
    else:
        found = [version.metrics.get(metric)]
    return [figure for figure in found if figure is not None]


def _evidence(connection: Connection, model: bytes, needed: Evidence) -> Iterator[str]:
    """Every edge of the way to every root that is attested worse, each as good as its best attested step."""
    line = [model, *edges.reachable(connection, models.key(connection, model), edges.UP)]
    labels = references.labels(connection, line)
    for child, records in steps.of_children(connection, line).items():
        best: dict[bytes, Evidence] = {}
        for record in records:
            if not record.reproduces:
                for used in record.step.inputs:
                    best[used.model_hash] = max(record.evidence, best.get(used.model_hash, record.evidence))
        for parent, grade in best.items():
            if grade < needed:
                yield (
                    f"{printable(labels[child])} <- {printable(labels[parent])} is {grade.value}, "
                    f"{needed.value} or better is needed"
                )
