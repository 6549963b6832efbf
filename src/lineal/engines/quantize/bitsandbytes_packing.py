"""Weights as bitsandbytes stores them: four-bit codes with their quantization state, or eight-bit codes of rows."""

import json
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes import double_quantization, llm_int8, nf4
from lineal.checkpoint.codes.double_quantization import NESTED_BLOCK, Nested, dynamic_map
from lineal.checkpoint.codes.dtypes import first_nonfinite
from lineal.checkpoint.written.layout import Planned
from lineal.engines.stream.packed import Pieces
from lineal.errors import CheckpointError
from lineal.methods.quantize.rounding_error import add_rounding_error
from lineal.shown import quoted

Float32: TypeAlias = NDArray[np.float32]
Figures: TypeAlias = NDArray[np.float64]

DTYPES: Final = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
"""Of weights that are quantized, and what torch calls them."""

_LONGEST_NUMBER = len("-1.1754943508222875e-38")
"""Characters of a float32's value in JSON, at the most."""


@final
@dataclass(frozen=True)
class FourBitPacking:
    """Of weights with rows of whole blocks.

    kind: nf4 or fp4; block: values that share a scale; is_double: whether scales are codes themselves.
    """

    kind: str
    block: int
    is_double: bool

    def tensors(self, weight: Planned) -> tuple[Planned, ...]:
        name, blocks = weight.name, self.blocks(weight)
        found = [
            Planned(name, "U8", (weight.elements // 2, 1)),
            Planned(f"{name}.absmax", "U8" if self.is_double else "F32", (blocks,)),
            Planned(f"{name}.quant_map", "F32", (len(nf4.LEVELS[self.kind]),)),
        ]
        if self.is_double:
            found.append(Planned(f"{name}.nested_absmax", "F32", (-(-blocks // NESTED_BLOCK),)))
            found.append(Planned(f"{name}.nested_quant_map", "F32", (len(dynamic_map()),)))
        return (*found, Planned(self.state_name(weight), "U8", (len(self.state(weight, None)),)))

    def blocks(self, weight: Planned) -> int:
        return weight.elements // self.block

    def state_name(self, weight: Planned) -> str:
        return f"{weight.name}.quant_state.bitsandbytes__{self.kind}"

    def state(self, weight: Planned, offset: np.float32 | None) -> bytes:
        """JSON as bitsandbytes writes it, and behind it spaces: how long it is does not depend on the offset."""
        said: dict[str, Any] = {"quant_type": self.kind, "blocksize": self.block}
        said |= {"dtype": DTYPES[weight.dtype], "shape": list(weight.shape)}
        if not self.is_double:
            return json.dumps(said).encode()
        said |= {"nested_blocksize": NESTED_BLOCK, "nested_dtype": "float32", "nested_offset": 0}
        longest = len(json.dumps(said)) - 1 + _LONGEST_NUMBER
        return json.dumps({**said, "nested_offset": float(offset or 0)}).ljust(longest).encode()

    def unit(self, weight: Planned) -> int:
        return self.block

    def packer(self, weight: Planned) -> "_FourBits":
        return _FourBits(self, weight)

    def working_bytes(self, weight: Planned, count: int) -> int:
        """Codes; scales, and what is calculated of them in passing."""
        return count // 2 + 32 * self.blocks(weight)


@final
class _FourBits:
    """Packs one weight. Scales that become codes follow from all of them, so that they are looked at before."""

    def __init__(self, packing: FourBitPacking, weight: Planned) -> None:
        self._packing, self._weight = packing, weight
        self._absmax, self._done = np.zeros(packing.blocks(weight), np.float32), 0
        self._nested: Nested | None = None
        self._scales = self._absmax

    @property
    def looks(self) -> int:
        return int(self._packing.is_double)

    def look(self, values: Float32) -> None:
        """Finds the scales, and in the last window their codes."""
        start = self._done // self._packing.block
        blocks = self._absmax[start : start + values.size // self._packing.block]
        nf4.largest_magnitudes(values, self._packing.block, blocks)
        self._refuse_nonfinite(values, blocks)
        self._done += values.size
        if self._done == self._weight.elements:
            self._nested = double_quantization.encode(self._absmax)
            self._scales = double_quantization.decode(self._nested, dynamic_map())
            self._done = 0

    def pack(self, values: Float32, figures: Figures | None) -> Pieces:
        kind, block = self._packing.kind, self._packing.block
        start, codes = self._done // block, np.empty(values.size // 2, np.uint8)
        blocks = self._absmax[start : start + values.size // block]
        nf4.encode(values, kind, block, codes, blocks)
        self._refuse_nonfinite(values, blocks)
        if figures is not None:
            stored = np.empty_like(values)
            nf4.decode(codes, self._scales, kind, block, self._done, stored)
            add_rounding_error(values, stored, block, figures)
        self._done += values.size
        return {self._weight.name: codes}

    def end(self) -> Pieces:
        name, packing, nested = self._weight.name, self._packing, self._nested
        levels, offset = nf4.LEVELS[packing.kind], None if nested is None else nested.offset
        state = np.frombuffer(packing.state(self._weight, offset), np.uint8)
        pieces = {f"{name}.quant_map": levels, packing.state_name(self._weight): state}
        if nested is None:
            return {**pieces, f"{name}.absmax": self._absmax}
        return {
            **pieces,
            f"{name}.absmax": nested.codes,
            f"{name}.nested_absmax": nested.absmax,
            f"{name}.nested_quant_map": dynamic_map(),
        }

    def _refuse_nonfinite(self, values: Float32, scales: Float32) -> None:
        if not np.isfinite(scales).all():
            raise _no_code(self._weight, self._packing.kind, values, "F32", self._done)


@final
@dataclass(frozen=True)
class EightBitPacking:
    """LLM.int8: a scale a row."""

    def tensors(self, weight: Planned) -> tuple[Planned, ...]:
        layer = weight.name.removesuffix(".weight")
        return (
            Planned(weight.name, "I8", weight.shape),
            Planned(f"{layer}.SCB", "F32", weight.shape[:1]),
            Planned(f"{layer}.weight_format", "U8", ()),
        )

    def unit(self, weight: Planned) -> int:
        return max(1, weight.shape[1])

    def packer(self, weight: Planned) -> "_EightBits":
        return _EightBits(weight)

    def working_bytes(self, weight: Planned, count: int) -> int:
        """Codes, and values as float16 and back."""
        return 7 * count + 4 * count // max(1, weight.shape[1])


@final
class _EightBits:
    looks = 0

    def __init__(self, weight: Planned) -> None:
        self._weight, self._done = weight, 0
        self._layer = weight.name.removesuffix(".weight")

    def look(self, values: Float32) -> None:
        pass

    def pack(self, values: Float32, figures: Figures | None) -> Pieces:
        rows = values.reshape(-1, self._weight.shape[1])
        codes, largest = np.empty(rows.shape, np.int8), np.empty(len(rows), np.float32)
        with np.errstate(over="ignore"):  # refused below
            llm_int8.encode(rows, codes, largest)
        if not np.isfinite(largest).all():
            raise _no_code(self._weight, "int8", values, "F16", self._done)
        if figures is not None:
            stored = np.empty_like(rows)
            llm_int8.decode(codes, largest, stored)
            add_rounding_error(values, stored.reshape(-1), 1, figures)
        self._done += values.size
        return {self._weight.name: codes, f"{self._layer}.SCB": largest}

    def end(self) -> Pieces:
        """The format is 0: rows as they are."""
        return {f"{self._layer}.weight_format": np.zeros(1, np.uint8)}


def _no_code(weight: Planned, kind: str, values: Float32, dtype: str, done: int) -> CheckpointError:
    index = first_nonfinite(values, dtype)
    found = f"{values[index]} at element {done + index} of {quoted(weight.name)}"
    codes = f"{kind}, which is made of float16" if dtype == "F16" else kind
    return CheckpointError(f"the child: {found} has no code ({codes}); leave the layer as it is with ignore")
