"""The schemes of a GGUF: which type a tensor gets, and how a scheme stands in a record."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lineal.derivation import Quantize
from lineal.derivation.quantization import QuantizationType
from lineal.derivation.step import Input, Step
from lineal.errors import MethodError
from lineal.methods.quantize.gguf import SCHEMES, GgufQuantization
from lineal.methods.streaming import Site
from tests.builders import random_tensors, same_bits
from tests.mix_cases import llama

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
PARENT = bytes(31) + b"\1"


TENSORS = {
    "token_embd.weight": (8, 256),
    "output.weight": (8, 256),
    "blk.0.attn_q.weight": (4, 256),
    "output_norm.weight": (256,),
}


def types(scheme: str, **options: Any) -> list[str]:
    method = GgufQuantization.from_options({"scheme": scheme, **options})
    return list(method.types(TENSORS, llama(1, 8, 8)).values())


@pytest.mark.parametrize("scheme", ["f32", "f16", "bf16", "q8_0"])
def test_a_scheme_of_one_type_is_the_type_of_the_matrices(scheme: str) -> None:
    assert types(scheme) == [scheme.upper()] * 3 + ["F32"]


def test_the_matrix_that_makes_the_logits_has_more_bits() -> None:
    assert types("q4_0") == ["Q4_0", "Q6_K", "Q4_0", "F32"]


def test_types_by_name_go_before_the_scheme() -> None:
    assert types("q4_0", tensor_types="attn_q=Q8_0") == ["Q4_0", "Q6_K", "Q8_0", "F32"]
    assert types("q4_0", output_type="q5_k", embedding_type="f16") == ["F16", "Q5_K", "Q4_0", "F32"]


@pytest.mark.parametrize(
    ("short", "long"), [("Q4_K", "q4_k_m"), ("q3_k", "q3_k_m"), ("q5_k", "q5_k_m"), ("Q8_0", "q8_0")]
)
def test_schemes_have_llama_cpp_s_other_names(short: str, long: str) -> None:
    assert GgufQuantization.from_options({"scheme": short}).options() == {"scheme": long}


@every_scheme
def test_the_record_of_a_step_is_summed_up_by_its_scheme(scheme: str) -> None:
    method = GgufQuantization(scheme=scheme)
    step = Step(type=method.kind, method=method.name, inputs=(Input("parent", PARENT),), options=method.options())
    assert step.derivation == Quantize(PARENT, QuantizationType.of_scheme(scheme))
    assert Step.from_json(step.to_json()) == step


@every_scheme
def test_a_method_is_its_options(scheme: str) -> None:
    method = GgufQuantization(scheme=scheme)
    assert method.options() == {"scheme": scheme}
    assert GgufQuantization.from_options(method.options()) == method


@pytest.mark.parametrize("options", [{"scheme": "zzz"}, {"scheme": "q8_0", "output_type": "zzz"}])
def test_what_is_known_is_listed_once(options: dict[str, str]) -> None:
    with pytest.raises(MethodError, match=r"must be one of f32, .*, iq4_xs, got 'zzz'$"):
        GgufQuantization(**options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("scheme", "hint"),
    [("q8", "did you mean q8_0"), ("q4_2", "did you mean q4_1"), ("iq2_xxs", "did")],
)
def test_an_unknown_scheme_is_refused_with_those_that_are_known_and_the_nearest(scheme: str, hint: str) -> None:
    said = f"gguf: scheme must be one of f32, f16, .*, iq4_xs, got '{scheme}' .{hint}"
    with pytest.raises(MethodError, match=said):
        GgufQuantization.from_options({"scheme": scheme})


def test_a_scheme_or_a_size_is_needed() -> None:
    with pytest.raises(MethodError, match="gguf: scheme is needed, or what is to be fitted: bits_per_weight or size"):
        GgufQuantization.from_options({})


@pytest.mark.parametrize("written", ["attn_v=Q6_K", ["attn_v=q6_k"], {"attn_v": "q6_k"}, [["attn_v", "q6_k"]]])
def test_types_by_name_are_read_however_they_are_written_and_recorded_in_one_way(written: object) -> None:
    method = GgufQuantization.from_options({"scheme": "q4_0", "tensor_types": written})
    assert method.options() == {"scheme": "q4_0", "tensor_types": [["attn_v", "q6_k"]]}
    assert GgufQuantization.from_options(method.options()) == method


@pytest.mark.parametrize(
    ("written", "size"), [("90MB", 90_000_000), ("1.5 GiB", 3 << 29), ("2kB", 2000), ("7", 7), (12, 12)]
)
def test_a_size_is_a_number_of_bytes(written: object, size: int) -> None:
    assert GgufQuantization.from_options({"size": written}).options() == {"size": size}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheme": "q4_0", "tensor_types": "attn_v"}, "a type by name is written pattern=type"),
        ({"scheme": "q4_0", "tensor_types": "(=q6_k"}, "'.' is not a regular expression"),
        ({"scheme": "q4_0", "tensor_types": "attn_v=q7_k"}, "must be one of f32, .*, got 'q7_k' .did you mean q"),
        ({"scheme": "f16", "tensor_types": "attn_v=q6_k"}, "f16 is one type for all"),
        ({"scheme": "q4_0", "output_type": "mxfp4"}, "output_type must be one of f32, .*, got 'mxfp4'"),
        ({"bits_per_weight": 4.5, "size": 90}, "give one of them"),
        ({"bits_per_weight": 0}, r"bits_per_weight must be in \(0, 32\], got 0"),
        ({"bits_per_weight": 33.0}, "bits_per_weight must be in"),
        ({"size": "90 potatoes"}, "a size is a number of bytes"),
        ({"size": -1}, "size must be a positive number of bytes, got -1"),
        ({"scheme": "f16", "size": 90}, "nothing can be fitted to a size with scheme f16"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        GgufQuantization.from_options(options)


def test_the_type_of_most_weights_is_found_where_the_scheme_does_not_say_it() -> None:
    assert GgufQuantization(scheme="q4_0").found_in_making is None
    for options in ({"bits_per_weight": 4.5}, {"size": 90}, {"scheme": "q4_0", "tensor_types": "attn_v=q6_k"}):
        method = GgufQuantization.from_options(options)
        assert method.found_in_making == "main_type"
        with pytest.raises(MethodError, match="main_type is found when the model is made"):
            replace(method, main_type="q5_k").check_recipe(0)


def test_a_record_with_the_type_of_most_weights_is_summed_up_by_that() -> None:
    method = GgufQuantization(bits_per_weight=4.5)
    for found, kind in ((None, "dynamic"), ("q4_k", "q4_k")):
        options = replace(method, main_type=found).options()
        step = Step(type=method.kind, method=method.name, inputs=(Input("parent", PARENT),), options=options)
        assert step.derivation == Quantize(PARENT, QuantizationType(kind))


def test_one_importance_matrix_is_used() -> None:
    GgufQuantization(scheme="q4_0").check_recipe(1)
    with pytest.raises(MethodError, match="one importance matrix can be used, got 2"):
        GgufQuantization(scheme="q4_0").check_recipe(2)


@pytest.mark.parametrize(
    ("scheme", "rules"), [("q4_0", 2), ("q4_1", 1), ("q8_0", 1), ("f32", 1), ("q4_k_m", 1), ("f16", 1)]
)
def test_where_lineal_once_made_something_else_the_rules_say_so(scheme: str, rules: int) -> None:
    """q4_0's head was Q8_0, whatever its rows."""
    assert GgufQuantization(scheme=scheme).rules(TENSORS, llama(1, 8, 8)) == rules


def test_where_the_types_are_the_same_the_rules_are() -> None:
    short = {name: (*shape[:-1], 64) for name, shape in TENSORS.items()}
    assert GgufQuantization(scheme="q4_0").rules(short, llama(1, 8, 8)) == 1  # Q8_0 as ever: rows too short for Q6_K
    assert GgufQuantization(scheme="q4_0").rules({"output.weight": (2, 40)}, llama(1, 8, 8)) == 1  # was refused
    assert GgufQuantization(scheme="q4_0").rules(TENSORS, llama(1, 8, 8, importance=True)) == 1  # was not there


def test_one_model_is_quantized_at_a_time() -> None:
    with pytest.raises(MethodError, match="one model is quantized at a time, got 2"):
        GgufQuantization(scheme="f16").check(2, has_base=False)


def test_the_values_pass_as_they_are() -> None:
    values = random_tensors(1, {"w": (3, 32)})["w"]
    method = GgufQuantization(scheme="q4_0")
    assert same_bits(method([values]), values)
    assert method.unit(Site("w", (3, 32), 1)) == 32
    assert same_bits(values, random_tensors(1, {"w": (3, 32)}, np.float32)["w"])
