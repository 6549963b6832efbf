"""Attention transfer: match attention maps up to their scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from lineal.errors import MethodError
from lineal.methods.distill.positions import check_mapping, check_tensors

if TYPE_CHECKING:
    from torch import Tensor

_SMALLEST_NORM = 1e-12


@final
@dataclass(frozen=True)
class AttentionTransfer:
    """weight * mean over pairs and examples of || a/||a||_F - b/||b||_F ||_F^2, norms per example.

    layer_mapping: pairs (student layer, teacher layer); none pairs layers of the same number.
    """

    paper: ClassVar = "https://arxiv.org/abs/1612.03928"

    weight: float = 0.1
    layer_mapping: Sequence[tuple[int, int]] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise MethodError(f"attention transfer: weight must be finite and not negative, got {self.weight}")
        if self.layer_mapping is not None:
            object.__setattr__(self, "layer_mapping", tuple((int(s), int(t)) for s, t in self.layer_mapping))
            if not self.layer_mapping:
                raise MethodError("attention transfer: the layer mapping is empty")

    def loss(self, student_maps: "Sequence[Tensor]", teacher_maps: "Sequence[Tensor]") -> "Tensor":
        """Maps of each layer, [batch, query, key], averaged over heads, or [batch, heads, query, key]."""
        check_tensors("attention transfer", "the student's maps", student_maps)
        check_tensors("attention transfer", "the teacher's maps", teacher_maps)
        if self.layer_mapping is None and len(student_maps) != len(teacher_maps):
            counts = f"{len(student_maps)} layers of the student, {len(teacher_maps)} of the teacher"
            raise MethodError(f"attention transfer: {counts}: a layer mapping is needed")
        mapping = self.layer_mapping or [(layer, layer) for layer in range(len(student_maps))]
        check_mapping("attention transfer", mapping, len(student_maps), len(teacher_maps))
        if not mapping:
            raise MethodError("attention transfer: no attention maps are given")
        total = self._distance(student_maps[mapping[0][0]], teacher_maps[mapping[0][1]], mapping[0])
        for s, t in mapping[1:]:
            total = total + self._distance(student_maps[s], teacher_maps[t], (s, t))
        return self.weight * total / len(mapping)

    def _distance(self, student: "Tensor", teacher: "Tensor", layers: tuple[int, int]) -> "Tensor":
        ours, theirs = (maps.mean(1) if maps.ndim == 4 else maps for maps in (student, teacher))
        if ours.shape != theirs.shape or ours.ndim != 3:
            shapes = f"{list(student.shape)} and {list(teacher.shape)}"
            raise MethodError(f"attention transfer: layers {layers}: maps {shapes} do not fit each other")
        return ((_unit(ours) - _unit(theirs)) ** 2).sum((1, 2)).mean()


def _unit(maps: "Tensor") -> "Tensor":
    """Each example's map at Frobenius norm 1."""
    return maps / (maps**2).sum((1, 2), keepdim=True).sqrt().clamp_min(_SMALLEST_NORM)
