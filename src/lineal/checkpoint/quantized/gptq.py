"""GPTQ's layout: integers packed down the input, with a scale and a zero point for each output and group of inputs.

Source: Frantar et al. 2022, "GPTQ"; the tensors that AutoGPTQ and gptqmodel write as `gptq` and `gptq_v2`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.packed.values import look_up
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.coded import Beside, Coded, Decoder, Float32, PublishedOrder, Quantized, Raw
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.quantized.scaling import Blocks, scale_by_column, shift_and_scale
from lineal.errors import CheckpointError
from lineal.shown import quoted

_BITS = (2, 3, 4, 8)
_ONES = {2: 0x55555555, 4: 0x11111111, 8: 0x01010101}
"""A one in each code of a word."""

_FLOATS = ("F16", "BF16", "F32")
_FORMATS = ("gptq", "gptq_v2")


@final
@dataclass(frozen=True)
class GptqWeight(PublishedOrder):
    """A weight [outputs, inputs] of `bits` an integer; read whole, since its words run down the inputs.

    words: I32 [inputs * bits / 32, outputs]; zeros: I32 [groups, outputs * bits / 32]; scales: [groups, outputs];
    groups: I32, the group of each input, or None: `group` inputs follow each other in each, as they do in most folders
    that name groups, too. is_v1: zeros are stored less one. symmetric: what the config says of the zeros.
    """

    label: str
    words: TensorSpec
    zeros: TensorSpec
    scales: TensorSpec
    groups: TensorSpec | None
    group: int
    bits: int
    is_v1: bool
    symmetric: bool

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        return (self.words, self.zeros, self.scales, *(() if self.groups is None else (self.groups,)))

    @property
    def working_bytes(self) -> int:
        return 2 * self.words.byte_length + 16 * self.scales.elements + 4 * self.shape[1]

    def decoder(self, beside: Sequence[Beside]) -> Decoder:
        """Both are turned once, since windows run along the inputs."""
        words, packed, scales, *stored = beside
        zeros = zeros_of(packed.view(np.uint32), self.bits, scales.shape[1], is_v1=self.is_v1)
        self._refuse_moved_zeros(zeros)
        groups = self._groups(stored[0], len(scales)) if stored else None
        rows = np.ascontiguousarray(words.T).view(np.uint8)
        outputs, inputs = self.shape
        by_output = [np.ascontiguousarray(one.T, np.float32).reshape(-1) for one in (zeros, scales)]
        blocks = Blocks(outputs, inputs, 1, self.group)
        return _GptqDecoder(rows, self.bits, blocks, groups, *by_output)

    def _groups(self, found: NDArray[np.int32], count: int) -> NDArray[np.int32] | None:
        """The group of each input; None where `group` inputs follow each other in each."""
        beyond = found[(found < 0) | (found >= count)]
        if self.groups is not None and beyond.size:
            raise CheckpointError(f"{self.label}: {quoted(self.groups.name)} names group {beyond[0]} of {count}")
        in_order = np.array_equal(found, np.arange(found.size) // self.group)
        return None if in_order else np.ascontiguousarray(found)

    def _refuse_moved_zeros(self, zeros: NDArray[np.int32]) -> None:
        """transformers writes the zeros of a loaded folder as gptq_v2 has them, and goes on calling it gptq."""
        if self.is_v1 and self.symmetric and zeros.size and (zeros == (1 << (self.bits - 1)) + 1).all():
            raise CheckpointError(
                f"{self.label}: {quoted(self.zeros.name)} is one too high for symmetric weights: transformers loaded "
                'and saved them, which changes zeros; with "checkpoint_format": "gptq_v2" in config.json it is right'
            )


@final
class _GptqDecoder:
    """rows: the bytes of each output's codes; zeros, scales: [outputs * groups]."""

    def __init__(
        self,
        rows: NDArray[np.uint8],
        bits: int,
        blocks: Blocks,
        groups: NDArray[np.int32] | None,
        zeros: Float32,
        scales: Float32,
    ) -> None:
        self._rows, self._bits, self._blocks, self._groups = rows, bits, blocks, groups
        self._zeros, self._scales = zeros, scales
        self._codes = np.arange(1 << bits, dtype=np.float32)

    def __call__(self, raw: Raw, start: int, out: Float32) -> None:
        width, done = self._blocks.width, 0
        while done < out.size:
            row, column = divmod(start + done, width)
            part = out[done : done + width - column]
            look_up(self._rows[row], column, self._bits, self._codes, part)
            done += part.size
        if self._groups is None:
            shift_and_scale(out, start, self._blocks, self._zeros, self._scales)
        else:
            scale_by_column(out, start, self._groups, self._zeros, self._scales, self._blocks.across)


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
    group = _group(folder, scales, inputs, stored=groups is not None)
    spec = TensorSpec(words.name, "CODES8", (outputs, inputs), words.path, words.offset, words.byte_length)
    return GptqWeight(
        *(spec, folder.dtype, folder.label, words, zeros, scales, groups, group, bits),
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


def _group(folder: QuantizedFolder, scales: TensorSpec, inputs: int, *, stored: bool) -> int:
    """Inputs a group, where they are in order; where groups are not stored the config must agree with their number."""
    found = -(-inputs // scales.shape[0])
    stated: Any = folder.settings.get("group_size")
    wanted = inputs if stated in (None, -1) else stated
    if type(wanted) is int and wanted > 0 and -(-inputs // wanted) == scales.shape[0]:
        return wanted
    if not stored:
        raise folder.misfit(scales, f"{inputs} inputs in groups of {quoted(stated)} have another number of scales")
    return found
