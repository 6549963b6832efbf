"""One linear layer with a low-rank update beside its weight."""

from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError

Array: TypeAlias = NDArray[np.floating[Any]]


@final
class LoraLayer:
    """y = x @ (W + scaling * B @ A).T

    weight: [out_features, in_features]; A: [rank, in_features]; B: [out_features, rank]; one dtype for all three.
    """

    def __init__(self, weight: Array, A: Array, B: Array, scaling: float) -> None:
        for name, matrix in (("weight", weight), ("A", A), ("B", B)):
            _check_floats(name, matrix)
        rank = A.shape[0] if A.ndim else 0
        if rank < 1 or weight.ndim != 2 or A.shape != (rank, weight.shape[1]) or B.shape != (weight.shape[0], rank):
            raise MethodError(
                f"lora: A {list(A.shape)} and B {list(B.shape)} do not fit a weight {list(weight.shape)}: "
                "A is [rank, in_features], B [out_features, rank]"
            )
        if not weight.dtype == A.dtype == B.dtype:
            raise MethodError(f"lora: weight, A and B must share a dtype, got {weight.dtype}, {A.dtype} and {B.dtype}")
        self.weight, self.A, self.B, self.scaling = weight, A, B, scaling
        self._unmerged: Array | None = None

    @property
    def merged(self) -> bool:
        """Whether dW is part of the weight now."""
        return self._unmerged is not None

    @property
    def trainable(self) -> int:
        """Entries of A and B."""
        return self.A.size + self.B.size

    @property
    def total(self) -> int:
        """Entries of the weight, of A and of B."""
        return self.weight.size + self.trainable

    def effective_weight(self) -> Array:
        """W + dW, whether merged or not."""
        return self.weight if self.merged else self.weight + self.weight.dtype.type(self.scaling) * (self.B @ self.A)

    def forward(self, x: Array) -> Array:
        """x: [..., in_features] -> [..., out_features]."""
        _check_floats("x", x)
        if x.shape[-1:] != self.weight.shape[1:]:
            raise MethodError(f"lora: x {list(x.shape)} does not fit a weight {list(self.weight.shape)}")
        y = x @ self.weight.T
        return y if self.merged else y + self.weight.dtype.type(self.scaling) * (x @ self.A.T @ self.B.T)

    def merge(self) -> None:
        """Add dW to the weight."""
        if self.merged:
            raise MethodError("lora: merged already; unmerge first")
        effective = self.effective_weight()
        self._unmerged, self.weight = self.weight, effective

    def unmerge(self) -> None:
        """Restore the weight exactly: it was kept, since W + dW - dW need not be W."""
        if self._unmerged is None:
            raise MethodError("lora: not merged; nothing to unmerge")
        self.weight, self._unmerged = self._unmerged, None


def _check_floats(name: str, array: object) -> None:
    """In whole numbers the scaling would be cut off, and in bfloat16 numpy multiplies into another type."""
    if not isinstance(array, np.ndarray):
        raise MethodError(f"lora: {name} must be a numpy array, got {type(array).__name__}")
    if not np.issubdtype(array.dtype, np.floating):
        raise MethodError(f"lora: {name} must hold float16, float32 or float64, got {array.dtype}")
