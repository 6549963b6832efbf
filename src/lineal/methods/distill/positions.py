"""What the losses are given, and which of its positions count: those whose label is not -100."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from lineal.errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor

NOT_COUNTED = -100


def check_tensors(method: str, whose: str, tensors: object) -> None:
    """Refuse what is no list of floating-point tensors: the rows of one tensor would be taken for several."""
    from torch import Tensor  # noqa: PLC0415 - options of distillation are read where there is no torch

    if isinstance(tensors, Tensor) or not isinstance(tensors, Sequence):
        found = f"a tensor {list(tensors.shape)}" if isinstance(tensors, Tensor) else type(tensors).__name__
        raise MethodError(f"{method}: {whose} must be a list of tensors, got {found}")
    for tensor in cast(Sequence[object], tensors):
        if not isinstance(tensor, Tensor):
            raise MethodError(f"{method}: {whose} must be torch's tensors, got {type(tensor).__name__}")
        if not tensor.is_floating_point():
            raise MethodError(f"{method}: {whose} must be floating-point numbers, got {tensor.dtype}")


def check_logits(method: str, student: "Tensor", teacher: "Tensor") -> None:
    """Refuse logits that are not [batch, classes] or [batch, tokens, vocab], alike."""
    check_tensors(method, "logits", [student, teacher])
    if student.ndim not in (2, 3):
        raise MethodError(f"{method}: logits are [batch, classes] or [batch, tokens, vocab], got {list(student.shape)}")
    if student.shape != teacher.shape:
        raise MethodError(
            f"{method}: the student's logits are {list(student.shape)}, the teacher's {list(teacher.shape)}"
        )


def check_labels(method: str, labels: "Tensor", positions: Sequence[int], classes: int | None = None) -> None:
    """Refuse labels that are not one for each position; classes: or that name none of so many."""
    import torch  # noqa: PLC0415 - as above

    if not isinstance(cast(object, labels), torch.Tensor):
        raise MethodError(f"{method}: labels must be a tensor, got {type(labels).__name__}")
    if labels.dtype not in (torch.int32, torch.int64):
        raise MethodError(f"{method}: labels must be whole numbers, in int64, got {labels.dtype}")
    if labels.shape != torch.Size(positions):
        raise MethodError(f"{method}: labels are {list(labels.shape)}, one is needed for each of {list(positions)}")
    kept = labels[labels != NOT_COUNTED]
    if classes is not None and bool(((kept < 0) | (kept >= classes)).any()):
        raise MethodError(
            f"{method}: labels are from {int(kept.min())} to {int(kept.max())}, "
            f"the logits need them in [0, {classes}), or {NOT_COUNTED} for what does not count"
        )


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
