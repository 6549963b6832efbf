"""Muon: momentum, made orthogonal before it is applied.

torch.optim.Muon computes in bfloat16 wherever it runs. Processors without such arithmetic are given it element by
element, which took two thirds of a training; here they compute in float32, and matrices of one shape together.
"""

from collections.abc import Iterator, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_SMALLEST_NORM = 1e-7
_STACKED_ELEMENTS = 1 << 24
"""So many elements are made orthogonal at once, at most, unless a single matrix has more."""


@final
class Muon(Optimizer):
    """For matrices, whose gradients are matrices, too.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/, with Nesterov's momentum. Steps are scaled
    to the root mean square of AdamW's (Liu et al. 2025, https://arxiv.org/abs/2502.16982, section 2.2), so that both
    run at one learning rate.
    """

    def __init__(self, matrices: Sequence[Tensor], learning_rate: float, decay: float) -> None:
        super().__init__(matrices, {"lr": learning_rate, "weight_decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for alike in _stacks([matrix for matrix in group["params"] if matrix.grad is not None]):
                steps = orthogonal(torch.stack([self._momentum(matrix) for matrix in alike]))
                for matrix, step in zip(alike, steps, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(step, alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)

    def _momentum(self, matrix: Any) -> Tensor:
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        mean = state["momentum_buffer"]
        mean.lerp_(matrix.grad, 1 - _MOMENTUM)
        return matrix.grad.lerp(mean, _MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices [n, rows, columns] with the same singular vectors and singular values of about 1 (0.7 to 1.2).

    A quintic Newton-Schulz iteration, on the side that is shorter.
    """
    wide = matrices if matrices.size(1) <= matrices.size(2) else matrices.mT
    x = wide.to(_arithmetic(wide.device))
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_SMALLEST_NORM)  # no singular value is above 1
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide is matrices else x.mT


def _arithmetic(device: torch.device) -> torch.dtype:
    """bfloat16, which is precise enough for this, where it is the faster one."""
    if device.type != "cpu":
        return torch.bfloat16
    is_fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
    return torch.bfloat16 if is_fast else torch.float32


def _stacks(matrices: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Matrices of one shape, device and dtype, as many as may be stacked."""
    alike: dict[Any, list[Tensor]] = {}
    for matrix in matrices:
        alike.setdefault((matrix.shape, matrix.device, matrix.dtype), []).append(matrix)
    for members in alike.values():
        size = max(1, _STACKED_ELEMENTS // members[0].numel())
        for start in range(0, len(members), size):
            yield members[start : start + size]
