"""Knowledge distillation: match the teacher's softened distribution, and the labels."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from lineal.errors import MethodError
from lineal.methods.distill.positions import check_labels, check_logits, counted

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclass(frozen=True)
class KnowledgeDistillation:
    """L = alpha * T^2 * KL(teacher_T || student_T) + (1 - alpha) * CE(student, labels).

    temperature: T, which softens both distributions of the KL; the cross-entropy is at temperature 1.
    alpha: share of the teacher, in [0, 1].
    """

    paper: ClassVar = "https://arxiv.org/abs/1503.02531"

    temperature: float = 2.0
    alpha: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise MethodError(f"distillation: temperature must be finite and above 0, got {self.temperature}")
        if not 0 <= self.alpha <= 1:
            raise MethodError(f"distillation: alpha must be in [0, 1], got {self.alpha}")

    def loss(self, student_logits: "Tensor", teacher_logits: "Tensor", labels: "Tensor") -> "Tensor":
        """The mean over the positions that count; labels are aligned with the logits. No position: 0."""
        check_logits("distillation", student_logits, teacher_logits)
        check_labels("distillation", labels, student_logits.shape[:-1], student_logits.shape[-1])
        kept, student, teacher = counted(labels, student_logits, teacher_logits)
        positions = max(1, kept.numel())
        soft = self._divergence(student, teacher).sum() / positions
        hard = -student.log_softmax(-1).gather(-1, kept[:, None]).sum() / positions
        return self.alpha * self.temperature**2 * soft + (1 - self.alpha) * hard

    def divergence(self, student_logits: "Tensor", teacher_logits: "Tensor") -> "Tensor":
        """KL(teacher_T || student_T) of each position, in nats; T^2 is not applied."""
        check_logits("distillation", student_logits, teacher_logits)
        return self._divergence(student_logits, teacher_logits)

    def _divergence(self, student_logits: "Tensor", teacher_logits: "Tensor") -> "Tensor":
        student = (student_logits / self.temperature).log_softmax(-1)
        teacher = (teacher_logits / self.temperature).log_softmax(-1)
        return (teacher.exp() * (teacher - student)).sum(-1)
