"""Which positions of a batch count: those whose label is not -100."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lineal.errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

NOT_COUNTED = -100


def check_logits(method: str, student: "Tensor", teacher: "Tensor", labels: "Tensor | None" = None) -> None:
    """Refuse logits that are not [batch, classes] or [batch, tokens, vocab], alike, with labels for each position."""
    if student.ndim not in (2, 3):
        raise MethodError(f"{method}: logits are [batch, classes] or [batch, tokens, vocab], got {list(student.shape)}")
    if student.shape != teacher.shape:
        raise MethodError(
            f"{method}: the student's logits are {list(student.shape)}, the teacher's {list(teacher.shape)}"
        )
    if labels is not None and labels.shape != student.shape[:-1]:
        raise MethodError(f"{method}: labels are {list(labels.shape)}, the logits need {list(student.shape[:-1])}")


def counted(labels: "Tensor", *rows: "Tensor") -> "tuple[Tensor, ...]":
    """The labels that count, and of each other tensor the rows at their positions."""
    keep = labels != NOT_COUNTED
    return labels[keep], *(row[keep] for row in rows)


def check_mapping(method: str, mapping: Sequence[tuple[int, int]], student: int, teacher: int) -> None:
    """Refuse a pair of layers that does not exist; none is ever skipped."""
    for pair in mapping:
        for whose, layer, count in (("student", pair[0], student), ("teacher", pair[1], teacher)):
            if not 0 <= layer < count:
                raise MethodError(f"{method}: {whose} layer {layer} of the pair {tuple(pair)} is not in [0, {count})")
