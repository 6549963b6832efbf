"""GPTQ's layout: integers packed down the input, with a scale and a zero point for each output and group of inputs.

Source: Frantar et al. 2022, "GPTQ"; the tensors that AutoGPTQ and gptqmodel write as `gptq` and `gptq_v2`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.turn import Turn
from lineal.checkpoint.quantized.coded import Beside, Coded, Decoder, Float32, Quantized, Raw
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.errors import CheckpointError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Int32s, Uint32s
from lineal.shown import quoted

_BITS = (2, 3, 4, 8)
_ONES = {2: 0x55555555, 4: 0x11111111, 8: 0x01010101}
"""A one in each code of a word."""

_FLOATS = ("F16", "BF16", "F32")
_FORMATS = ("gptq", "gptq_v2")


@final
@dataclass(frozen=True)
class GptqWeight:
    """A weight [outputs, inputs] of `bits` an integer; read whole, since its words run down the inputs.

    words: I32 [inputs * bits / 32, outputs]; zeros: I32 [groups, outputs * bits / 32]; scales: [groups, outputs];
    groups: I32, the group of each input, or None: `group` inputs follow each other in each. is_v1: zeros are stored
    less one. symmetric: what the config says of the zeros.
    """

    label: str
    spec: TensorSpec
    words: TensorSpec
    zeros: TensorSpec
    scales: TensorSpec
    groups: TensorSpec | None
    group: int
    bits: int
    dtype: str
    is_v1: bool
    symmetric: bool

    @property
    def is_streamed(self) -> bool:
        return False

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        return (self.words, self.zeros, self.scales, *(() if self.groups is None else (self.groups,)))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def turn(self) -> Turn | None:
        return None

    @property
    def working_bytes(self) -> int:
        return self.words.byte_length + 12 * self.scales.elements + 4 * self.spec.shape[1]

    def decoder(self, beside: Sequence[Beside]) -> Decoder:
        words, packed, scales, *groups = beside
        zeros = zeros_of(packed.view(np.uint32), self.bits, scales.shape[1], is_v1=self.is_v1)
        self._refuse_moved_zeros(zeros)
        chosen = groups[0] if groups else np.arange(self.spec.shape[1], dtype=np.int32) // np.int32(self.group)
        beyond = chosen[(chosen < 0) | (chosen >= len(scales))]
        if self.groups is not None and beyond.size:
            raise CheckpointError(f"{self.label}: {quoted(self.groups.name)} names group {beyond[0]} of {len(scales)}")
        return _GptqDecoder(words.view(np.uint32).reshape(-1), zeros, scales, chosen, self.bits)

    def _refuse_moved_zeros(self, zeros: NDArray[np.int32]) -> None:
        """transformers writes the zeros of a loaded folder as gptq_v2 has them, and goes on calling it gptq."""
        if self.is_v1 and self.symmetric and zeros.size and (zeros == (1 << (self.bits - 1)) + 1).all():
            raise CheckpointError(
                f"{self.label}: {quoted(self.zeros.name)} is one too high for symmetric weights: transformers loaded "
                'and saved them, which changes zeros; with "checkpoint_format": "gptq_v2" in config.json it is right'
            )


@final
class _GptqDecoder:
    def __init__(
        self, words: NDArray[np.uint32], zeros: NDArray[np.int32], scales: Float32, groups: NDArray[np.int32], bits: int
    ) -> None:
        self._words, self._outputs, self._bits = words, scales.shape[1], bits
        self._zeros, self._scales = zeros.reshape(-1), scales.reshape(-1)
        self._groups = groups

    def __call__(self, raw: Raw, start: int, out: Float32) -> None:
        _decode(self._words, self._zeros, self._scales, self._groups, self._outputs, self._bits, start, out)


def zeros_of(words: NDArray[np.uint32], bits: int, outputs: int, *, is_v1: bool) -> NDArray[np.int32]:
    """Zero points [groups, outputs] of words [groups, outputs * bits / 32], a stream of bits along the outputs.

    is_v1: each was stored less one. Writers take one from each code of a word at once, borrowing from the next where a
    code is zero, so it is put back in the same way; where codes lie across words (3 bits) each is brought back alone.
    """
    if is_v1 and bits in _ONES:
        words = words + np.uint32(_ONES[bits])  # wraps around
    parts = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little", count=outputs * bits)
    codes = parts.reshape(len(words), outputs, bits) @ (np.int32(1) << np.arange(bits, dtype=np.int32))
    return (codes + np.int32(1)) & np.int32((1 << bits) - 1) if is_v1 and bits not in _ONES else codes


@kernel
def _decode(
    words: Uint32s, zeros: Int32s, scales: Float32s, groups: Int32s, outputs: int, bits: int, start: int, out: Float32s
) -> None:
    inputs, mask = groups.size, np.uint32((1 << bits) - 1)
    row, column = start // inputs, start % inputs
    for i in range(out.size):
        at, shift = (column * bits >> 5) * outputs + row, column * bits & 31
        code = words[at] >> np.uint32(shift)
        if shift + bits > 32:
            code |= words[at + outputs] << np.uint32(32 - shift)
        group = groups[column] * outputs + row
        out[i] = np.float32(np.int32(code & mask) - zeros[group]) * scales[group]
        column += 1
        if column == inputs:
            row, column = row + 1, 0


def read(folder: QuantizedFolder) -> Quantized:
    """Every weight that `NAME.qweight` stands for, by NAME.weight."""
    kind = _format_of(folder)
    coded: dict[str, Coded] = {}
    beside: set[str] = set()
    for stem, words in folder.ending(".qweight"):
        found = _weight(folder, stem, words, is_v1=kind == "gptq")
        coded[f"{stem}.weight"] = found
        beside |= {spec.name for spec in found.beside}
    return Quantized(coded, frozenset(beside))


def _format_of(folder: QuantizedFolder) -> str:
    settings = folder.settings
    found = settings.get("checkpoint_format") or settings.get("format") or "gptq"
    if settings.get("is_marlin_format"):
        found = "marlin"
    if found not in _FORMATS:
        raise folder.fault(f"is GPTQ in the format {quoted(str(found))}; only gptq and gptq_v2 can be read")
    if settings.get("pack_dtype", "int32") != "int32":
        raise folder.fault(f"is GPTQ packed in {quoted(settings['pack_dtype'])}; only int32 can be read")
    return found


def _weight(folder: QuantizedFolder, stem: str, words: TensorSpec, *, is_v1: bool) -> GptqWeight:
    if f"{stem}.weight" in folder.checkpoint:
        raise folder.fault(f"holds {quoted(words.name)} and {quoted(f'{stem}.weight')}: one weight twice")
    zeros, scales = (folder.required(f"{stem}.{part}", words.name) for part in ("qzeros", "scales"))
    groups = folder.checkpoint.get(f"{stem}.g_idx")
    if words.dtype != "I32" or len(words.shape) != 2:
        raise folder.misfit(words, "packed codes are I32 [inputs * bits / 32, outputs]")
    outputs = words.shape[1]
    if scales.dtype not in _FLOATS or len(scales.shape) != 2 or scales.shape[1] != outputs or not scales.elements:
        raise folder.misfit(scales, f"scales of {quoted(words.name)} are [groups, {outputs}]")
    if groups is not None and (groups.dtype != "I32" or len(groups.shape) != 1):
        raise folder.misfit(groups, "the groups of inputs are I32 [inputs]")
    bits = _bits(folder, words, zeros, groups)
    inputs = words.shape[0] * 32 // bits if groups is None else groups.shape[0]
    group = -(-inputs // scales.shape[0]) if groups is None else 0
    _check_group(folder, scales, inputs, group)
    return GptqWeight(
        *(
            folder.label,
            TensorSpec(words.name, "CODES8", (outputs, inputs), words.path, words.offset, words.byte_length),
        ),
        *(words, zeros, scales, groups, group, bits, folder.dtype),
        is_v1=is_v1,
        symmetric=folder.settings.get("sym") is True,
    )


def _bits(folder: QuantizedFolder, words: TensorSpec, zeros: TensorSpec, groups: TensorSpec | None) -> int:
    """What the config says, if the shapes are of so many; by the shapes where it says that layers differ."""
    stated = folder.settings.get("bits")
    candidates = (stated, *(_BITS if isinstance(folder.settings.get("dynamic"), Mapping) else ()))
    for bits in candidates:
        if type(bits) is not int or bits not in _BITS:
            continue
        inputs = words.shape[0] * 32 // bits if groups is None else groups.shape[0]
        shape = (_words(inputs, bits), _words(words.shape[1], bits))
        if zeros.dtype == "I32" and len(zeros.shape) == 2 and (words.shape[0], zeros.shape[1]) == shape:
            return bits
    if type(stated) is not int or stated not in _BITS:
        raise folder.fault(f"is GPTQ of {quoted(stated)} bits; only {', '.join(map(str, _BITS))} can be read")
    raise folder.misfit(zeros, f"with {quoted(words.name)} {list(words.shape)} that makes no codes of {stated} bits")


def _words(codes: int, bits: int) -> int:
    return -(-codes * bits // 32)


def _check_group(folder: QuantizedFolder, scales: TensorSpec, inputs: int, group: int) -> None:
    """Where nothing says which group an input is of, the config's size must agree with the number of groups."""
    stated: Any = folder.settings.get("group_size")
    wanted = inputs if stated in (None, -1) else stated
    if group and (type(wanted) is not int or wanted < 1 or -(-inputs // wanted) != scales.shape[0]):
        raise folder.misfit(scales, f"{inputs} inputs in groups of {quoted(stated)} have another number of scales")
