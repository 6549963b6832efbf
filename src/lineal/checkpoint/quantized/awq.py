"""AWQ's layout, as AutoAWQ writes it for its GEMM: four-bit integers packed along the output, in an order of their own.

Source: Lin et al. 2023, "AWQ"; the tensors that AutoAWQ and gptqmodel write as version `gemm`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.coded import Beside, Coded, Decoder, Float32, PublishedOrder, Quantized, Raw
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.quantized.scaling import Blocks, shift_and_scale
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Uint32s
from lineal.shown import quoted

_FLOATS = ("F16", "BF16", "F32")


@final
@dataclass(frozen=True)
class AwqWeight(PublishedOrder):
    """A weight [outputs, inputs]; read whole, since its words run along the outputs of each input.

    words: I32 [inputs, outputs / 8]; zeros: I32 [groups, outputs / 8]; scales: [groups, outputs]; group: inputs that
    share a scale.
    """

    words: TensorSpec
    zeros: TensorSpec
    scales: TensorSpec
    group: int

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        return (self.words, self.zeros, self.scales)

    @property
    def working_bytes(self) -> int:
        return 2 * self.words.byte_length + 2 * self.zeros.byte_length + 12 * self.scales.elements

    def decoder(self, beside: Sequence[Beside]) -> Decoder:
        """All are turned once, since windows run along the inputs."""
        words, packed, scales = (np.ascontiguousarray(one.T) for one in beside)
        zeros = np.empty(scales.size, np.float32)
        _nibbles(packed.view(np.uint32).reshape(-1), scales.shape[1], 0, zeros)
        outputs, inputs = self.shape
        blocks = Blocks(outputs, inputs, 1, self.group)
        return _AwqDecoder(words.view(np.uint32).reshape(-1), blocks, zeros, scales.reshape(-1))


@final
class _AwqDecoder:
    """words: [outputs / 8 * inputs]; zeros, scales: [outputs * groups]."""

    def __init__(self, words: NDArray[np.uint32], blocks: Blocks, zeros: Float32, scales: Float32) -> None:
        self._words, self._blocks, self._zeros, self._scales = words, blocks, zeros, scales

    def __call__(self, raw: Raw, start: int, out: Float32) -> None:
        _nibbles(self._words, self._blocks.width, start, out)
        shift_and_scale(out, start, self._blocks, self._zeros, self._scales)


@kernel
def _nibbles(words: Uint32s, inputs: int, start: int, out: Float32s) -> None:
    """The codes from element `start` on. Those of outputs 0 to 7 lie at 0, 4, 1, 5, 2, 6, 3, 7 in a word."""
    done = 0
    while done < out.size:
        row = (start + done) // inputs
        column = start + done - row * inputs
        count, shift = min(inputs - column, out.size - done), np.uint32(4 * ((row & 7) // 2 + 4 * (row & 1)))
        first = (row >> 3) * inputs + column
        for i in range(count):
            out[done + i] = np.float32(words[first + i] >> shift & np.uint32(15))
        done += count


def read(folder: QuantizedFolder) -> Quantized:
    """Every weight that `NAME.qweight` stands for, by NAME.weight."""
    _check_settings(folder)
    coded: dict[str, Coded] = {}
    beside: set[str] = set()
    for stem, words in folder.ending(".qweight"):
        found = _weight(folder, stem, words)
        coded[f"{stem}.weight"] = found
        beside |= {spec.name for spec in found.beside}
    return Quantized(coded, frozenset(beside))


def _check_settings(folder: QuantizedFolder) -> None:
    settings = folder.settings
    version = str(settings.get("version") or settings.get("format") or settings.get("checkpoint_format") or "gemm")
    if version.lower() != "gemm":
        raise folder.fault(f"is AWQ in the format {quoted(version)}; only gemm can be read")
    bits: Any = settings.get("bits", settings.get("w_bit", 4))
    if bits != 4:
        raise folder.fault(f"is AWQ of {quoted(bits)} bits; only 4 can be read")


def _weight(folder: QuantizedFolder, stem: str, words: TensorSpec) -> AwqWeight:
    if f"{stem}.weight" in folder.checkpoint:
        raise folder.fault(f"holds {quoted(words.name)} and {quoted(f'{stem}.weight')}: one weight twice")
    zeros, scales = (folder.required(f"{stem}.{part}", words.name) for part in ("qzeros", "scales"))
    if words.dtype != "I32" or len(words.shape) != 2 or not words.elements:
        raise folder.misfit(words, "packed codes are I32 [inputs, outputs / 8]")
    inputs, across = words.shape
    stated: Any = folder.settings.get("group_size", folder.settings.get("q_group_size", 128))
    group = inputs if stated == -1 else stated
    if type(group) is not int or group < 1 or inputs % group:
        raise folder.misfit(words, f"{inputs} inputs are no whole groups of {quoted(stated)}")
    if zeros.dtype != "I32" or zeros.shape != (inputs // group, across):
        raise folder.misfit(zeros, f"zero points of {quoted(words.name)} are I32 {[inputs // group, across]}")
    if scales.dtype not in _FLOATS or scales.shape != (inputs // group, across * 8):
        raise folder.misfit(scales, f"scales of {quoted(words.name)} are {[inputs // group, across * 8]}")
    spec = TensorSpec(words.name, "CODES8", (across * 8, inputs), words.path, words.offset, words.byte_length)
    return AwqWeight(spec, folder.dtype, words, zeros, scales, group)
