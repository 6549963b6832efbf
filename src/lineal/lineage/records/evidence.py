"""How well a step is attested: the grades of evidence, and how a grade may change."""

from collections.abc import Iterable
from enum import Enum
from typing import final

from lineal.errors import UsageError
from lineal.shown import quoted


@final
class Evidence(Enum):
    """What stands behind a step, ordered: a path is as good as its weakest edge, and one contradiction spoils it."""

    CONTRADICTED = "contradicted"
    """An exact method of the same version gave other bytes when it was recomputed."""
    CLAIMED = "claimed"
    """Someone says so: a model card, an adapter's config."""
    INFERRED = "inferred"
    """The weights themselves suggest it."""
    RECORDED = "recorded"
    """lineal ran it here, or read it in the lineal.json of a model whose hashes agree."""
    SIGNED = "signed"
    """A key that was named here, to sign with or to trust, has signed it."""
    REPLAYED = "replayed"
    """It was recomputed, and the bytes were equal; with the share of the tensors that were."""

    @classmethod
    def parse(cls, word: str) -> "Evidence":
        grades = {grade.value: grade for grade in cls}
        if word not in grades:
            raise UsageError(f"there is no grade of evidence {quoted(word)} (grades: {', '.join(grades)})")
        return grades[word]

    def __lt__(self, other: "Evidence") -> bool:
        return _RANK[self] < _RANK[other]

    @property
    def is_witnessed(self) -> bool:
        """Whether the child's hash was taken from bytes that the step really wrote."""
        return not self < Evidence.RECORDED


_RANK = {grade: rank for rank, grade in enumerate(Evidence)}


def weakest(grades: Iterable[Evidence]) -> Evidence | None:
    """What a path over edges of these grades is worth; of no edges at all, nothing."""
    return min(grades, default=None)


def raised(
    standing: tuple[Evidence, float | None], grade: Evidence, share: float | None
) -> tuple[Evidence, float | None]:
    """The grade and share after new evidence: a grade never falls, and a contradiction is never outweighed.

    share: the part of the tensors that a replay recomputed, in (0, 1]; None for every other grade.
    """
    if (share is not None) != (grade is Evidence.REPLAYED):
        raise UsageError(f"evidence: a share goes with replayed and with nothing else, got {share} with {grade.value}")
    if share is not None and not 0 < share <= 1:
        raise UsageError(f"evidence: the share replayed must be in (0, 1], got {share}")
    known, known_share = standing
    if Evidence.CONTRADICTED in (known, grade):
        return Evidence.CONTRADICTED, None
    if known is grade is Evidence.REPLAYED:
        return grade, max(known_share or 0.0, share or 0.0)
    return (grade, share) if known < grade else standing
