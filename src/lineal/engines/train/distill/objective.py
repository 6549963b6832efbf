"""The objective of a distillation: what the teachers predict, what is in their layers, and the text itself."""

from collections.abc import Sequence
from typing import Any, TypeAlias, cast, final

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lineal.engines.text.batches import NOT_COUNTED, Batch
from lineal.engines.train.distill.block_outputs import BlockOutputs
from lineal.methods.distill.distill import Distill

Outputs: TypeAlias = tuple[Tensor, list[Tensor], list[Tensor]]
"""Logits [batch, tokens, vocabulary]; hidden states and attention maps of each block, where they are matched."""


@final
class Pupil(nn.Module):
    """A student with the projections that are trained beside it and thrown away with the training.

    projections: for each teacher [student width, teacher width], or None where the widths are equal.
    """

    def __init__(self, student: PreTrainedModel, projections: Sequence[nn.Parameter | None]) -> None:
        super().__init__()
        self.student = student
        self.projections = nn.ParameterList([p for p in projections if p is not None])

    def forward(self, **inputs: Any) -> Any:
        return self.student(**inputs)

    def get_output_embeddings(self) -> nn.Module | None:
        return cast(nn.Module | None, self.student.get_output_embeddings())


@final
class DistillationObjective:
    """A student taught by several teachers; several teachers' layers count by the teachers' weights."""

    def __init__(
        self,
        method: Distill,
        student: PreTrainedModel,
        teachers: Sequence[PreTrainedModel],
        projections: Sequence[nn.Parameter | None],
    ) -> None:
        self._method, self._teachers, self._projections = method, teachers, projections
        self._ensemble = method.ensemble(len(teachers))
        blocks = [BlockOutputs(model, "distill") for model in (student, *teachers)] if method.progressive else None
        self._student_blocks, self._teacher_blocks = (
            (blocks[0], blocks[1:]) if blocks else (None, [None] * len(teachers))
        )

    def loss(self, model: nn.Module, batch: Batch, counted: Tensor) -> Tensor:
        """Each part is a mean over the batch's positions; the batch weighs by its share of the step's positions."""
        labels = batch["shift_labels"]
        student = self._outputs(model, self._student_blocks, batch)
        share = (labels != NOT_COUNTED).sum() / counted
        taught = self._taught(student[0].device, batch)
        logits = [outputs[0] for outputs in taught]
        via_probabilities = self._method.combine == "probabilities"
        total = self._ensemble.distillation_loss(
            student[0], logits, labels, self._method.alpha, via_probabilities=via_probabilities
        )
        for teacher, weight, projection in zip(taught, self._ensemble.weights, self._projections, strict=True):
            total = total + weight * self._layer_losses(student, teacher, projection, labels)
        return share * total

    @torch.no_grad()
    def _taught(self, device: torch.device, batch: Batch) -> list[Outputs]:
        """What each teacher says of the same tokens."""
        pairs = zip(self._teachers, self._teacher_blocks, strict=True)
        return [self._outputs(cast(Any, teacher).to(device), blocks, batch) for teacher, blocks in pairs]

    def _outputs(self, model: nn.Module, blocks: BlockOutputs | None, batch: Batch) -> Outputs:
        matched = self._method.attention is not None
        found = model(input_ids=batch["input_ids"], use_cache=False, output_attentions=matched)
        seen = (batch["shift_labels"] != NOT_COUNTED)[:, :, None]
        maps = [attention.float().mean(1) * seen for attention in found.attentions] if matched else []
        return found.logits.float(), blocks.take() if blocks else [], maps

    def _layer_losses(
        self, student: Outputs, teacher: Outputs, projection: nn.Parameter | None, labels: Tensor
    ) -> Tensor | float:
        total: Tensor | float = 0.0
        if self._method.progressive:
            loss = self._method.progressive.loss(projection)
            total = total + loss.hidden_state_loss(student[1], teacher[1], labels)
        if self._method.attention:
            total = total + self._method.attention.loss().loss(student[2], teacher[2])
        return total
