"""The optimizers and learning-rate schedules of a training."""

import math
from collections.abc import Callable, Sequence
from typing import Any, final

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lineal.engines.train.muon import Muon
from lineal.methods.finetune.training import Training


@final
class MuonWithAdamW(Optimizer):
    """Muon for hidden matrices, AdamW for everything else, behind one list of parameter groups."""

    def __init__(
        self, matrices: Sequence[Tensor], others: list[dict[str, Any]], learning_rate: float, decay: float
    ) -> None:
        muon = Muon(matrices, learning_rate, decay)
        self._parts: tuple[Optimizer, ...] = (muon, AdamW(others, lr=learning_rate)) if others else (muon,)
        super().__init__(self._groups(), {})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()  # loading replaced the parts' groups; the schedule must find the new ones

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]


def make_optimizer(training: Training, model: nn.Module, head: nn.Module | None) -> Optimizer:
    """The optimizer of the parameters that are to be trained; norms, biases and other vectors do not decay.

    head: the module that makes the logits; like an embedding it is no hidden matrix.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    hidden = _hidden_matrices(model, head) if training.optimizer == "muon" else set[int]()
    matrices = [p for p in trained.values() if id(p) in hidden]
    rest = [p for p in trained.values() if id(p) not in hidden]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if matrices:
        return MuonWithAdamW(matrices, groups, training.learning_rate, training.weight_decay)
    return AdamW(groups, lr=training.learning_rate)


def make_schedule(training: Training, optimizer: Optimizer, steps: int) -> LambdaLR:
    """The share of the learning rate at each step: a linear rise, then constant or down to 0."""
    warmup = round(training.warmup_share * steps)

    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        progress = (step - warmup) / max(1, steps - warmup)
        match training.schedule:
            case "constant":
                return 1.0
            case "linear":
                return 1.0 - progress
            case "cosine":
                return 0.5 * (1.0 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, share)


def _hidden_matrices(model: nn.Module, head: nn.Module | None) -> set[int]:
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}  # a tied head is one of them
    linear = [m for m in model.modules() if isinstance(m, nn.Linear) and m is not head]
    return {id(m.weight) for m in linear} - embeddings
