"""What the losses are called on: lists of tensors that fit each other, or one clear error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lineal.errors import MethodError
from lineal.methods.distill.attention import AttentionTransfer
from lineal.methods.distill.ensemble import EnsembleDistiller
from lineal.methods.distill.knowledge import KnowledgeDistillation
from lineal.methods.distill.progressive import ProgressiveDistillation

KD, ENSEMBLE, MAPS = KnowledgeDistillation(), EnsembleDistiller((1, 1)), AttentionTransfer()
HIDDEN = ProgressiveDistillation([(0, 0)])


def ones(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.ones(*shape, dtype=dtype)


def labels(*values: int) -> torch.Tensor:
    return torch.tensor(values)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: KD.divergence(ones(3, 4), ones(1, 4)), r"logits are \[3, 4\], the teacher's \[1, 4\]"),
    (lambda: KD.loss(ones(2, 3), ones(2, 3), labels(0, 3)), r"labels are from 0 to 3, .* in \[0, 3\), or -100"),
    (lambda: KD.loss(ones(2, 3), ones(2, 3), labels(-1, 2)), "labels are from -1 to 2"),
    (lambda: KD.loss(ones(2, 3), ones(2, 3), ones(2)), "labels must be whole numbers, in int64, got torch.float32"),
    (lambda: KD.loss(ones(2, 3), ones(2, 3), np.zeros(2, int)), "labels must be a tensor, got ndarray"),  # pyright: ignore[reportArgumentType]
    (lambda: KD.loss(np.ones((2, 3)), ones(2, 3), labels(0, 0)), "must be torch's tensors, got ndarray"),  # pyright: ignore[reportArgumentType]
    (lambda: KD.loss(ones(2, 3), ones(2, 3, dtype=torch.int64), labels(0, 0)), "floating-point numbers, got torch.int"),
    (lambda: ENSEMBLE.combine_teachers(ones(2, 3, 4)), r"must be a list of tensors, got a tensor \[2, 3, 4\]"),  # pyright: ignore[reportArgumentType]
    (lambda: ENSEMBLE.combine_via_probabilities(ones(2, 3, 4)), "must be a list of tensors"),  # pyright: ignore[reportArgumentType]
    (lambda: EnsembleDistiller.from_confidences(ones(2, 3)), "must be a list of tensors"),  # pyright: ignore[reportArgumentType]
    (lambda: EnsembleDistiller.from_confidences([ones(2, 3, dtype=torch.int64)]), "must be floating-point numbers"),
    (lambda: HIDDEN.hidden_state_loss(ones(2, 3, 4), [ones(3, 4)]), r"student's hidden states .* a tensor \[2, 3, 4\]"),  # pyright: ignore[reportArgumentType]
    (lambda: HIDDEN.hidden_state_loss([ones(3, 4)], ones(2, 3, 4)), "the teacher's hidden states must be a list"),  # pyright: ignore[reportArgumentType]
    (lambda: HIDDEN.hidden_state_loss([torch.tensor(1.0)], [torch.tensor(1.0)]), "got one number"),
    (
        lambda: HIDDEN.hidden_state_loss([ones(2, 3, 4)], [ones(2, 3, 4)], labels(0, 0)),
        r"labels are \[2\], one is needed for each of \[2, 3\]",
    ),
    (lambda: ProgressiveDistillation([(0, 0)], 1.0, ones(4)), r"a projection is \[student_dim, teacher_dim\], got \[4"),
    (lambda: MAPS.loss(ones(2, 3, 4, 4), [ones(3, 4, 4)] * 2), r"student's maps must be a list .* \[2, 3, 4, 4\]"),  # pyright: ignore[reportArgumentType]
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_arguments_that_cannot_be_meant_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(MethodError, match=message):
        call()


@pytest.mark.parametrize("form", ["mse", "normalized", "cosine"])
def test_hidden_states_of_which_no_position_counts_lose_nothing(form: Any) -> None:
    hidden = ones(1, 2, 3).requires_grad_()
    loss = ProgressiveDistillation([(0, 0)], form=form).hidden_state_loss(
        [hidden], [ones(1, 2, 3)], labels(-100, -100)[None]
    )
    loss.backward()
    assert loss.item() == 0
    assert hidden.grad is not None
    assert not hidden.grad.any()
