"""The types weights are quantized to, and their bits per weight."""

import pytest

from lineal.derivation import QuantizationType
from lineal.errors import DerivationError

BITS = {
    "int8": 8.0,
    "int4": 4.0,
    "fp16": 16.0,
    "bf16": 16.0,
    "dynamic": 8.0,
    "qat": 8.0,
    "int2": 2.0,
    "int3": 3.0,
    "int5": 5.0,
    "int6": 6.0,
    "int7": 7.0,
    "nf4": 4.0,
    "fp4": 4.0,
    "fp8": 8.0,
    "f32": 32.0,
    "f16": 16.0,
    "q4_0": 4.5,
    "q4_1": 5.0,
    "q5_0": 5.5,
    "q5_1": 6.0,
    "q8_0": 8.5,
    "q8_1": 9.0,
    "q2_k": 2.625,
    "q3_k": 3.4375,
    "q4_k": 4.5,
    "q5_k": 5.5,
    "q6_k": 6.5625,
    "q8_k": 9.125,
    "iq1_s": 1.5625,
    "iq1_m": 1.75,
    "iq2_xxs": 2.0625,
    "iq2_xs": 2.3125,
    "iq2_s": 2.5625,
    "iq3_xxs": 3.0625,
    "iq3_s": 3.4375,
    "iq4_nl": 4.5,
    "iq4_xs": 4.25,
    "tq1_0": 1.6875,
    "tq2_0": 2.0625,
    "mxfp4": 4.25,
    "nvfp4": 4.5,
    "q1_0": 1.125,
}
"""From llama.cpp's block structures (ggml-common.h), scales included; the others count the weight alone."""


def test_every_type_has_its_bits_per_weight() -> None:
    assert {member.value: member.bits_per_weight for member in QuantizationType} == BITS


@pytest.mark.parametrize("name", BITS)
def test_a_type_is_found_by_its_name(name: str) -> None:
    assert QuantizationType.named(name).value == name


@pytest.mark.parametrize("name", ["q4_k_m", "Q4_0", "", None, 4, ["q4_0"]])
def test_an_unknown_type_is_refused_with_the_known_ones(name: object) -> None:
    with pytest.raises(DerivationError, match=r"unknown quantization type .* \(known: int8, int4, "):
        QuantizationType.named(name)
