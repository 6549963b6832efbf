"""SmoothQuant: what inputs are hard to round by is moved into the weights, which are easy to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Final, final

import numpy as np

from lineal.errors import MethodError
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import ONCE, Block, Repeats, Rounded
from lineal.methods.input_statistics import ColumnMagnitudes
from lineal.methods.quantize.calibrated_packing import CalibratedPacking
from lineal.methods.quantize.packed_schemes import SchemeName
from lineal.methods.quantize.rounded import rounded

_LEAST: Final = np.float32(1e-5)
"""Of the magnitudes that are divided, as in the paper's code."""


@final
@dataclass(frozen=True, kw_only=True)
class SmoothQuant(CalibratedPacking):
    """Divide each input of linear layers by max|input|^alpha / max|weight|^(1 - alpha), multiply the weights by it.

    Then round to nearest. The division is done in the norm, values or up projection before the layers, so that without
    rounding the model computes what it did; where nothing stands there that it can be done in, inputs stay as they are.

    scheme: what is stored, for layers whose inputs are rounded token by token, too: w8a8 or fp8_dynamic.
    alpha: how much of the difficulty is moved, in [0, 1].
    """

    name: ClassVar = "smoothquant"
    paper: ClassVar = "https://arxiv.org/abs/2211.10438"

    scheme: SchemeName = "w8a8"
    alpha: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        activations = self.storage.scheme.activations
        if activations is None or not activations.endswith("a token"):
            raise MethodError(
                f"smoothquant: is for layers whose inputs are rounded token by token, as w8a8, not {self.scheme}"
            )
        if not 0 <= self.alpha <= 1:
            raise MethodError(f"smoothquant: alpha must be in [0, 1], got {self.alpha}")

    def work_on(self, block: Block) -> Iterator[Rounded]:
        layers = {shared: [*filter(block.is_packed, shared.layers)] for shared in block.shared_inputs}
        seen = {
            shared: ColumnMagnitudes(shared.columns) for shared, names in layers.items() if names and shared.foldable
        }
        block.gather({shared: (magnitudes,) for shared, magnitudes in seen.items()})
        for shared, magnitudes in seen.items():
            weights = [block.weight(name) for name in layers[shared]]
            block.fold(shared, smoothing(weights, magnitudes.greatest, self.alpha, shared.repeats))
        for name in (name for names in layers.values() for name in names):
            yield rounded(name, block.weight(name), self.storage, block.dtype(name))


def smoothing(weights: Sequence[Float32], greatest: Float32, alpha: float = 0.5, repeats: Repeats = ONCE) -> Float32:
    """What inputs are divided by, [columns] (equation 4).

    weights: [rows, columns] each, of layers with the same inputs; greatest: magnitude of each input. An input that is
    always 0, or that no weight sees, is divided by 1. repeats: columns that share a divisor: both maxima are over all
    of them, as for one input that is seen in several places.
    """
    largest = repeats.greatest(reduce(np.maximum, (np.abs(weight).max(0) for weight in weights)))
    greatest = repeats.greatest(greatest)
    is_used = (greatest > 0) & (largest > 0)
    found = np.maximum(greatest, _LEAST) ** alpha / np.maximum(largest, _LEAST) ** (1 - alpha)
    return np.where(is_used, np.maximum(found, _LEAST), 1).astype(np.float32)
