"""Where the files beside weights name other parents than the weights themselves."""

from collections.abc import Sequence

from lineal.derivation.step import Role
from lineal.engines.compare.kinship.judgement import Finding, Relation
from lineal.errors import LinealError
from lineal.family.origin.claims.claim import Claim, read_claims
from lineal.family.origin.claims.importing import look_up
from lineal.family.session import LocalModel, Session
from lineal.shown import printable

Found = tuple[Finding, tuple[tuple[Role, LocalModel], ...]]
"""A way in which the weights may have come about, and from which models."""


def contradictions(session: Session, local: LocalModel, ranking: Sequence[Found]) -> tuple[str, ...]:
    """A remark for each parent that a file names and the weights do not, and for files that cannot be read."""
    try:
        claims = read_claims(local.checkpoint)
    except LinealError as error:
        return (f"not read: {error}",)
    return tuple(remark for claim in claims for remark in _of(session, local, claim, ranking))


def _of(session: Session, local: LocalModel, claim: Claim, ranking: Sequence[Found]) -> list[str]:
    best = ranking[0] if ranking and ranking[0][0].relation is Relation.PARENT else None
    parents = {used.model_hash for _, used in best[1]} if best else set()
    remarks: list[str] = []
    for _, reference in claim.inputs:
        model = look_up(session, local.folder, reference)
        says = f"{claim.file.name} names {printable(reference)}"
        if model is None:
            remarks.append(f"{says}, which is not known here: whether that is so, its weights would tell")
        elif model not in parents:
            own = next((f for f, inputs in ranking if {used.model_hash for _, used in inputs} == {model}), None)
            told = "" if own is None else f" ({own.relation.value})" if own.relation is not Relation.PARENT else ""
            instead = f": the weights say {' and '.join(used.label for _, used in best[1])}" if best else ""
            remarks.append(f"{says}{told}, and the weights do not{instead}")
    return remarks
