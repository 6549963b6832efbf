"""Muon against a transcription in float64 and against torch's own, which computes in bfloat16."""

import numpy as np
import pytest
import torch
from torch import nn

from lineal.engines.train import muon
from lineal.engines.train.muon import Muon, orthogonal

SHAPES = ((16, 16), (48, 16), (16, 40), (16, 16))


def gradients(steps: int) -> list[list[torch.Tensor]]:
    drawn = torch.Generator().manual_seed(1)
    return [[torch.randn(shape, generator=drawn) for shape in SHAPES] for _ in range(steps)]


def trained(make, steps: int = 3) -> list[torch.Tensor]:
    matrices = [nn.Parameter(torch.linspace(-1, 1, rows * columns).reshape(rows, columns)) for rows, columns in SHAPES]
    optimizer = make(matrices)
    for drawn in gradients(steps):
        for matrix, gradient in zip(matrices, drawn, strict=True):
            matrix.grad = gradient
        optimizer.step()
    return [matrix.detach() for matrix in matrices]


def transcribed(steps: int = 3, rate: float = 0.02, decay: float = 0.1) -> list[np.ndarray]:
    """Jordan's post, with Nesterov's momentum, and equation 4 of Liu et al.; float64, one matrix at a time."""
    moved = [np.linspace(-1, 1, rows * columns).reshape(rows, columns) for rows, columns in SHAPES]
    momenta = [np.zeros(shape) for shape in SHAPES]
    for drawn in gradients(steps):
        for i, gradient in enumerate(g.double().numpy() for g in drawn):
            momenta[i] = 0.95 * momenta[i] + 0.05 * gradient
            looked_ahead = 0.05 * gradient + 0.95 * momenta[i]
            x = looked_ahead / np.linalg.norm(looked_ahead)
            for _ in range(5):
                gram = x @ x.T
                x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
            moved[i] = (1 - rate * decay) * moved[i] - rate * 0.2 * np.sqrt(max(x.shape)) * x
    return moved


@pytest.fixture
def float32(monkeypatch):
    monkeypatch.setattr(muon, "_arithmetic", lambda _: torch.float32)


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("stacked", [1, 300, 1 << 24])
def test_it_moves_matrices_as_the_paper_does(monkeypatch, stacked):
    monkeypatch.setattr(muon, "_STACKED_ELEMENTS", stacked)
    for found, expected in zip(trained(lambda m: Muon(m, 0.02, 0.1)), transcribed(), strict=True):
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("arithmetic", [torch.float32, torch.bfloat16])
def test_it_is_torchs_own_up_to_bfloat16(monkeypatch, arithmetic):
    def theirs(matrices):
        return torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")

    monkeypatch.setattr(muon, "_arithmetic", lambda _: arithmetic)
    for found, expected in zip(trained(lambda m: Muon(m, 0.02, 0.1)), trained(theirs), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


@pytest.mark.usefixtures("float32")
def test_what_it_applies_is_nearly_orthogonal():
    drawn = torch.randn((3, 20, 64), generator=torch.Generator().manual_seed(2))
    for made in (orthogonal(drawn), orthogonal(drawn.mT)):
        singular = torch.linalg.svdvals(made)
        assert 0.6 < singular.min() < singular.max() < 1.25
    assert torch.equal(orthogonal(torch.zeros((1, 4, 4))), torch.zeros((1, 4, 4)))


def test_a_matrix_without_a_gradient_stays_as_it_is():
    still, moved = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    moved.grad = torch.eye(4)
    Muon([still, moved], 0.1, 0.1).step()
    assert torch.equal(still, torch.ones(4, 4))
    assert not torch.equal(moved, torch.ones(4, 4))
