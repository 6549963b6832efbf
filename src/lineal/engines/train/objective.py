"""What a training minimises: the next token, or anything else that gives one loss a batch."""

from typing import Protocol, final

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lineal.engines.text.batches import NOT_COUNTED, Batch


class Objective(Protocol):
    """The part of a training that varies."""

    def loss(self, model: nn.Module, batch: Batch, counted: Tensor) -> Tensor:
        """The sum over the batch's positions, divided by `counted`: the positions of the whole optimizer step.

        So gradient accumulation averages over tokens, never over means of unequal batches.
        """
        ...


@final
class NextToken:
    """Cross-entropy of the token that follows, in float32."""

    def loss(self, model: nn.Module, batch: Batch, counted: Tensor) -> Tensor:
        logits = model(input_ids=batch["input_ids"], use_cache=False).logits.float()
        targets = batch["shift_labels"].flatten()
        return cross_entropy(logits.flatten(0, 1), targets, ignore_index=NOT_COUNTED, reduction="sum") / counted
