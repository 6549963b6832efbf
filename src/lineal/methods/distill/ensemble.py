"""Several teachers as one: their logits or their probabilities, weighted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, Self

from lineal.errors import MethodError
from lineal.methods.distill.knowledge import KnowledgeDistillation
from lineal.methods.distill.positions import check_logits, check_tensors

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class EnsembleDistiller:
    """Teaches a student from weighted teachers.

    weights: one for each teacher, normalised to sum to 1.
    """

    paper: ClassVar = "https://arxiv.org/abs/1702.01802"

    weights: tuple[float, ...]
    temperature: float = 2.0

    def __post_init__(self) -> None:
        weights = tuple(float(weight) for weight in self.weights)
        if not weights or not all(0 <= weight < math.inf for weight in weights) or not sum(weights) > 0:
            raise MethodError(f"ensemble: weights must be finite, not negative and not all 0, got {list(self.weights)}")
        if not 0 < self.temperature < math.inf:
            raise MethodError(f"ensemble: temperature must be finite and above 0, got {self.temperature}")
        object.__setattr__(self, "weights", tuple(weight / sum(weights) for weight in weights))

    @classmethod
    def uniform(cls, num_teachers: int, temperature: float = 2.0) -> Self:
        """Equal weights, 1 / num_teachers each."""
        return cls((1.0,) * num_teachers, temperature)

    @classmethod
    def from_accuracies(cls, accuracies: Sequence[float], temperature: float = 2.0) -> Self:
        """Weights in proportion to each teacher's held-out accuracy."""
        return cls(tuple(accuracies), temperature)

    @classmethod
    def from_confidences(cls, teacher_logits: "Sequence[Tensor]", temperature: float = 2.0) -> Self:
        """Weights in proportion to the mean probability of what each teacher thinks likeliest."""
        check_tensors("ensemble", "the teachers' logits", teacher_logits)
        return cls(tuple(float(logits.softmax(-1).amax(-1).mean()) for logits in teacher_logits), temperature)

    def combine_teachers(self, teacher_logits: "Sequence[Tensor]") -> "Tensor":
        """sum_i w_i z_i."""
        self._check(teacher_logits)
        terms = (weight * logits for weight, logits in zip(self.weights, teacher_logits, strict=True))
        return reduce(lambda total, term: total + term, terms)

    def combine_via_probabilities(self, teacher_logits: "Sequence[Tensor]") -> "Tensor":
        """T * log(sum_i w_i softmax(z_i / T)), by log-sum-exp: no probability is formed, so none underflows."""
        self._check(teacher_logits)
        pairs = zip(self.weights, teacher_logits, strict=True)
        terms = ((logits / self.temperature).log_softmax(-1) + math.log(w) for w, logits in pairs if w > 0)
        return self.temperature * reduce(lambda total, term: total.logaddexp(term), terms)

    def distillation_loss(
        self,
        student_logits: "Tensor",
        teacher_logits: "Sequence[Tensor]",
        labels: "Tensor",
        alpha: float,
        *,
        via_probabilities: bool = False,
    ) -> "Tensor":
        """Knowledge distillation from the combined teachers: their logits, or on request their probabilities."""
        combine = self.combine_via_probabilities if via_probabilities else self.combine_teachers
        return KnowledgeDistillation(self.temperature, alpha).loss(student_logits, combine(teacher_logits), labels)

    def _check(self, teacher_logits: "Sequence[Tensor]") -> None:
        check_tensors("ensemble", "the teachers' logits", teacher_logits)
        if len(teacher_logits) != len(self.weights):
            raise MethodError(f"ensemble: {len(teacher_logits)} teachers for {len(self.weights)} weights")
        for index, logits in enumerate(teacher_logits):
            if logits.shape != teacher_logits[0].shape:
                shapes = f"{list(teacher_logits[0].shape)} of the first, {list(logits.shape)} of number {index + 1}"
                raise MethodError(f"ensemble: the teachers' logits differ in shape: {shapes}")
        check_logits("ensemble", teacher_logits[0], teacher_logits[0])
