"""What the error of each column is made up for by, in those that are still to be rounded: from their inputs' moment."""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.methods.arrays import Float32

Int64: TypeAlias = NDArray[np.int64]

_INDEPENDENT = 2.0**-20
"""Share of an input's squares that other inputs must leave unexplained: below it float32 may know no difference."""


@final
@dataclass(frozen=True, eq=False)
class Feedback:
    """How the columns of layers with the same inputs make up for each other.

    order: the columns as they are rounded. dead: of each column, whether its input was always 0. coefficients:
    [columns, columns], in that order, 1 on the diagonal and nothing below it.
    """

    order: Int64
    dead: NDArray[np.bool_]
    coefficients: Float32

    @property
    def is_natural(self) -> bool:
        """Whether columns are rounded as they stand."""
        return bool((self.order[1:] > self.order[:-1]).all())


def feedback(moment: Float32, *, damping: float = 0.01, act_order: bool = False, where: str = "the layer") -> Feedback:
    """Factor a second moment, the sum of x x^T over inputs x: [columns, columns], symmetric.

    damping: what is added to its diagonal, as a share of the mean of the diagonal (of inputs that are not always 0).
    act_order: columns of the largest inputs first. where: the layers' names, for errors.

    Raises: MethodError: inputs that are not finite; a moment that is singular with this damping.
    """
    diagonal = moment.diagonal()
    if not np.isfinite(diagonal).all():
        raise MethodError(f"gptq: inputs of {where} are not finite: the model cannot be calibrated with this text")
    dead = diagonal == 0
    order = np.argsort(-diagonal, kind="stable") if act_order else np.arange(len(diagonal))
    alive = float(diagonal[~dead].mean(dtype=np.float64)) if not dead.all() else 0.0
    added = np.where(dead, np.float32(1), np.float32(damping * alive))
    coefficients = _coefficients(moment, order, added)
    if coefficients is None:
        raise MethodError(
            f"gptq: inputs of {where} depend on each other, their second moment is singular with a damping of "
            f"{damping:g}: take more samples, or a larger damping"
        )
    return Feedback(order, dead, coefficients)


def _coefficients(moment: Float32, order: Int64, added: Float32) -> Float32 | None:
    """U / diag(U) where U U^T is the moment in that order with a diagonal added; None where there is none.

    U is upper triangular: it is Cholesky's factor of the moment taken from its last row and column to its first.
    """
    import torch  # noqa: PLC0415 - options of methods are read where there is no torch

    backwards = order[::-1]
    turned = moment[np.ix_(backwards, backwards)]
    np.einsum("ii->i", turned)[...] += added[backwards]
    squares = turned.diagonal().copy()
    factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(turned))
    lower = factor.numpy()
    pivots = lower.diagonal().copy()
    if int(failed) or (np.square(pivots) < _INDEPENDENT * squares).any():
        return None
    lower /= pivots
    return lower[::-1, ::-1]
