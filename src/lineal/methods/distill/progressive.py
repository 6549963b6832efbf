"""Progressive distillation: match hidden states, layer by layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.methods.distill.positions import NOT_COUNTED, check_labels, check_mapping, check_tensors
from lineal.randomness import uniforms
from lineal.shown import quoted

if TYPE_CHECKING:
    from torch import Tensor

Form: TypeAlias = Literal["mse", "normalized", "cosine"]


@final
@dataclass(frozen=True, eq=False)
class ProgressiveDistillation:
    """hidden_weight * mean over pairs of MSE(student @ projection, teacher).

    layer_mapping: pairs (student layer, teacher layer); layer i is the output of block i, before the final norm.
    projection: [student_dim, teacher_dim], an array or a parameter that is trained; None where the widths are equal.
    form: mse; normalized compares rows of unit length (Sun et al. 2019); cosine is 1 - the cosine of the rows.
    """

    paper: ClassVar = "https://arxiv.org/abs/1908.09355"

    layer_mapping: Sequence[tuple[int, int]]
    hidden_weight: float = 1.0
    projection: "Tensor | NDArray[np.float32] | None" = None
    form: Form = "mse"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer_mapping", tuple((int(s), int(t)) for s, t in self.layer_mapping))
        if not self.layer_mapping:
            raise MethodError("progressive: the layer mapping is empty")
        if not 0 <= self.hidden_weight < math.inf:
            raise MethodError(f"progressive: hidden_weight must be finite and not negative, got {self.hidden_weight}")
        if self.form not in ("mse", "normalized", "cosine"):
            raise MethodError(f"progressive: form must be mse, normalized or cosine, got {quoted(self.form)}")
        if self.projection is not None and self.projection.ndim != 2:
            shape = list(self.projection.shape)
            raise MethodError(f"progressive: a projection is [student_dim, teacher_dim], got {shape}")

    def with_weight(self, weight: float) -> Self:
        """A copy with another hidden_weight."""
        return replace(self, hidden_weight=weight)

    def with_projection(self, student_dim: int, teacher_dim: int, seed: int = 42) -> Self:
        """With a Xavier-uniform projection, [student_dim, teacher_dim] float32, drawn from the seed."""
        bound = np.float32(math.sqrt(6 / (student_dim + teacher_dim)))
        drawn = uniforms(seed, "progressive.projection", 0, 0, student_dim * teacher_dim)
        return replace(self, projection=((2 * drawn - 1) * bound).reshape(student_dim, teacher_dim))

    def hidden_state_loss(
        self, student_hidden: "Sequence[Tensor]", teacher_hidden: "Sequence[Tensor]", labels: "Tensor | None" = None
    ) -> "Tensor":
        """Hidden states of each layer, [batch, tokens, dim]; positions whose label is -100 count nowhere. None: 0."""
        check_tensors("progressive", "the student's hidden states", student_hidden)
        check_tensors("progressive", "the teacher's hidden states", teacher_hidden)
        check_mapping("progressive", self.layer_mapping, len(student_hidden), len(teacher_hidden))
        pairs = [self._pair(student_hidden[s], teacher_hidden[t], labels, (s, t)) for s, t in self.layer_mapping]
        total = pairs[0]
        for pair in pairs[1:]:
            total = total + pair
        return self.hidden_weight * total / len(pairs)

    def _pair(self, student: "Tensor", teacher: "Tensor", labels: "Tensor | None", layers: tuple[int, int]) -> "Tensor":
        projected = self._projected(student, layers)
        if projected.shape != teacher.shape:
            shapes = f"{list(projected.shape)} and {list(teacher.shape)}"
            hint = "" if self.projection is not None else "; with_projection makes widths equal"
            raise MethodError(f"progressive: layers {layers}: hidden states {shapes} differ{hint}")
        if labels is not None:
            check_labels("progressive", labels, teacher.shape[:-1])
            projected, teacher = projected[labels != NOT_COUNTED], teacher[labels != NOT_COUNTED]
        if not projected.numel():
            return projected.sum()
        if self.form == "mse":
            return ((projected - teacher) ** 2).mean()
        ours, theirs = (rows / rows.norm(dim=-1, keepdim=True).clamp_min(1e-12) for rows in (projected, teacher))
        if self.form == "normalized":
            return ((ours - theirs) ** 2).mean()
        return (1 - (ours * theirs).sum(-1)).mean()

    def _projected(self, student: "Tensor", layers: tuple[int, int]) -> "Tensor":
        if not student.ndim:
            raise MethodError(f"progressive: layers {layers}: hidden states are [batch, tokens, dim], got one number")
        if self.projection is None:
            return student
        if student.shape[-1] != self.projection.shape[0]:
            width = f"width {student.shape[-1]}, the projection is {list(self.projection.shape)}"
            raise MethodError(f"progressive: layers {layers}: the student has {width}")
        if isinstance(self.projection, np.ndarray):
            return student @ student.new_tensor(self.projection)
        return student @ self.projection
