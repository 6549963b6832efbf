"""Types that weights are quantized to, and what one weight costs in each."""

from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from typing import Self

from lineal.errors import DerivationError
from lineal.shown import quoted


class QuantizationType(Enum):
    """A quantized weight type: its name, and how many bytes a block of how many weights takes.

    The GGUF types (llama.cpp `ggml-common.h`) have one fixed block, scales included. The others leave the grouping
    of scales to the method, so their figure is the weight's alone.
    """

    INT8 = ("int8", 1, 1)
    INT4 = ("int4", 2, 1)
    FP16 = ("fp16", 1, 2)
    BF16 = ("bf16", 1, 2)
    DYNAMIC = ("dynamic", 1, 1)
    QAT = ("qat", 1, 1)
    INT2 = ("int2", 4, 1)
    INT3 = ("int3", 8, 3)
    INT5 = ("int5", 8, 5)
    INT6 = ("int6", 4, 3)
    INT7 = ("int7", 8, 7)
    NF4 = ("nf4", 2, 1)
    FP4 = ("fp4", 2, 1)
    FP8 = ("fp8", 1, 1)
    F32 = ("f32", 1, 4)
    F16 = ("f16", 1, 2)
    Q4_0 = ("q4_0", 32, 18)
    Q4_1 = ("q4_1", 32, 20)
    Q5_0 = ("q5_0", 32, 22)
    Q5_1 = ("q5_1", 32, 24)
    Q8_0 = ("q8_0", 32, 34)
    Q8_1 = ("q8_1", 32, 36)
    Q2_K = ("q2_k", 256, 84)
    Q3_K = ("q3_k", 256, 110)
    Q4_K = ("q4_k", 256, 144)
    Q5_K = ("q5_k", 256, 176)
    Q6_K = ("q6_k", 256, 210)
    Q8_K = ("q8_k", 256, 292)
    IQ1_S = ("iq1_s", 256, 50)
    IQ1_M = ("iq1_m", 256, 56)
    IQ2_XXS = ("iq2_xxs", 256, 66)
    IQ2_XS = ("iq2_xs", 256, 74)
    IQ2_S = ("iq2_s", 256, 82)
    IQ3_XXS = ("iq3_xxs", 256, 98)
    IQ3_S = ("iq3_s", 256, 110)
    IQ4_NL = ("iq4_nl", 32, 18)
    IQ4_XS = ("iq4_xs", 256, 136)
    TQ1_0 = ("tq1_0", 256, 54)
    TQ2_0 = ("tq2_0", 256, 66)
    MXFP4 = ("mxfp4", 32, 17)
    NVFP4 = ("nvfp4", 64, 36)
    Q1_0 = ("q1_0", 128, 18)

    block_weights: int
    block_bytes: int

    def __new__(cls, name: str, block_weights: int, block_bytes: int) -> Self:
        member = object.__new__(cls)
        member._value_ = name
        member.block_weights = block_weights
        member.block_bytes = block_bytes
        return member

    @property
    def is_blocks(self) -> bool:
        """Whether weights share a scale that is stored with them, as in GGUF's block types: blocks of 32 and more."""
        return self.block_weights >= 32

    @property
    def bits_per_weight(self) -> float:
        """Bits stored for each weight, scales included: 8 * block_bytes / block_weights."""
        return float(Fraction(8 * self.block_bytes, self.block_weights))

    @classmethod
    def named(cls, name: object) -> "QuantizationType":
        """The type of this name, in small letters; DerivationError for any other, with the nearest."""
        try:
            return cls(name)
        except ValueError:
            known = ", ".join(str(member.value) for member in cls)
            raise DerivationError(f"unknown quantization type {quoted(name)} (known: {known})") from None

    @classmethod
    def of_scheme(cls, scheme: object) -> "QuantizationType":
        """The type that sums up a scheme: that of most weights where several are mixed, else the scheme's own."""
        return cls.named(_OF_MIXES.get(scheme, scheme) if isinstance(scheme, str) else scheme)


_OF_MIXES: Mapping[str, str] = {
    **{f"w{bits}a16": f"int{bits}" for bits in range(2, 9)},
    "w8a8": "int8",
    "w8a8_static": "int8",
    "fp8_dynamic": "fp8",
    "fp8_block": "fp8",
    "q3_k_s": "q3_k",
    "q3_k_m": "q3_k",
    "q3_k_l": "q3_k",
    "q4_k_s": "q4_k",
    "q4_k_m": "q4_k",
    "q5_k_s": "q5_k",
    "q5_k_m": "q5_k",
}
"""Schemes that are not called as their type is: those of packed weights, and llama.cpp's mixes."""
