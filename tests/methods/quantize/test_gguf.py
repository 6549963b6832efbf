"""The schemes of a GGUF: which type a tensor gets, and how a scheme stands in a record."""

import numpy as np
import pytest

from lineal.derivation import Quantize
from lineal.derivation.quantization import QuantizationType
from lineal.derivation.step import Input, Step
from lineal.errors import MethodError
from lineal.methods.quantize.gguf import SCHEMES, GgufQuantization
from lineal.methods.streaming import Site
from tests.builders import random_tensors, same_bits

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
PARENT = bytes(31) + b"\1"


@every_scheme
def test_a_scheme_is_the_type_of_the_matrices(scheme: str) -> None:
    assert GgufQuantization(scheme=scheme).stored_as((4, 32), makes_logits=False) == scheme.upper()


@every_scheme
def test_vectors_stay_float32(scheme: str) -> None:
    assert GgufQuantization(scheme=scheme).stored_as((32,), makes_logits=False) == "F32"


def test_the_matrix_that_makes_the_logits_has_eight_bits_where_the_others_have_four() -> None:
    found = {scheme: GgufQuantization(scheme=scheme).stored_as((4, 32), makes_logits=True) for scheme in SCHEMES}
    assert found == {"f32": "F32", "f16": "F16", "bf16": "BF16", "q8_0": "Q8_0", "q4_0": "Q8_0"}


@every_scheme
def test_the_record_of_a_step_is_summed_up_by_its_scheme(scheme: str) -> None:
    method = GgufQuantization(scheme=scheme)
    step = Step(type=method.kind, method=method.name, inputs=(Input("parent", PARENT),), options=method.options())
    assert step.derivation == Quantize(PARENT, QuantizationType(scheme))
    assert Step.from_json(step.to_json()) == step


@every_scheme
def test_a_method_is_its_options(scheme: str) -> None:
    method = GgufQuantization(scheme=scheme)
    assert method.options() == {"scheme": scheme}
    assert GgufQuantization.from_options(method.options()) == method


@pytest.mark.parametrize(
    ("scheme", "hint"), [("q8", "did you mean q8_0"), ("q4_1", "did you mean q4_0"), ("", "known: "), ("q4_k_m", "did")]
)
def test_an_unknown_scheme_is_refused_with_those_that_are_known_and_the_nearest(scheme: str, hint: str) -> None:
    said = f"gguf: scheme must be one of f32, f16, bf16, q8_0, q4_0, got '{scheme}' .{hint}"
    with pytest.raises(MethodError, match=said):
        GgufQuantization.from_options({"scheme": scheme})


def test_a_scheme_is_needed() -> None:
    with pytest.raises(MethodError, match="gguf: the option 'scheme' is needed"):
        GgufQuantization.from_options({})


def test_one_model_is_quantized_at_a_time() -> None:
    with pytest.raises(MethodError, match="one model is quantized at a time, got 2"):
        GgufQuantization(scheme="f16").check(2, has_base=False)


def test_the_values_pass_as_they_are() -> None:
    values = random_tensors(1, {"w": (3, 32)})["w"]
    method = GgufQuantization(scheme="q4_0")
    assert same_bits(method([values]), values)
    assert method.unit(Site("w", (3, 32), 1)) == 32
    assert same_bits(values, random_tensors(1, {"w": (3, 32)}, np.float32)["w"])
