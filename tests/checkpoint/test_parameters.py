"""Parameters of a model are the numbers of its weights, in whichever codes they are stored."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.quantized.counted import parameters_of
from lineal.checkpoint.reader import open_checkpoint
from tests.builders import CONFIG, Array, make_checkpoint
from tests.reference import bitsandbytes, gptq_layout
from tests.reference.quantized import FORMS

WEIGHT, NORM = "model.layers.0.mlp.down_proj.weight", "model.norm.weight"


def counted(folder: Path, tensors: dict[str, Array], settings: Any) -> int:
    norm = {NORM: np.ones(8, ml_dtypes.bfloat16)}
    make_checkpoint(folder, {**tensors, **norm}, {**CONFIG, "quantization_config": settings, "dtype": "float32"})
    found = parameters_of(open_checkpoint(folder))
    hashes = hash_folder(folder)
    assert hashes.parameters == found
    assert hashes.manifest.may_stand_for(found)
    return found


def values(*shape: int) -> Array:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("form", list(FORMS))
def test_scales_and_words_are_no_parameters(tmp_path: Path, form: str) -> None:
    """compressed-tensors, float8 with scales, and MXFP4 as GPT-OSS has it."""
    shape = (3, 64, 96) if form.startswith(("experts of", "gpt-oss")) else (64, 96)
    stored = FORMS[form].store(values(*shape))
    tensors = {f"model.layers.0.mlp.{name}": tensor for name, tensor in stored.tensors.items()}
    assert counted(tmp_path / "m", tensors, FORMS[form].settings) == stored.values.size + 8


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_counts_its_weights(tmp_path: Path, bits: int) -> None:
    tensors, decoded = gptq_layout.gptq(WEIGHT, values(64, 96), bits)
    assert counted(tmp_path / "m", dict(tensors), gptq_layout.gptq_settings(bits)) == decoded.size + 8


def test_awq_counts_its_weights(tmp_path: Path) -> None:
    tensors, decoded = gptq_layout.awq(WEIGHT, values(64, 96))
    settings = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}
    assert counted(tmp_path / "m", dict(tensors), settings) == decoded.size + 8


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_four_bits_of_bitsandbytes_count_their_weights(tmp_path: Path, kind: str) -> None:
    tensors, decoded = bitsandbytes.four_bits(WEIGHT, values(64, 96), kind)
    settings = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind}
    assert counted(tmp_path / "m", dict(tensors), settings) == decoded.size + 8


def test_eight_bits_of_bitsandbytes_count_their_weights(tmp_path: Path) -> None:
    tensors, decoded = bitsandbytes.int8(WEIGHT, values(64, 96))
    settings = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    assert counted(tmp_path / "m", dict(tensors), settings) == decoded.size + 8


def test_codes_of_a_format_that_is_not_read_count_as_they_are_stored(tmp_path: Path) -> None:
    tensors = {WEIGHT: np.zeros((4, 6), np.int32)}
    assert counted(tmp_path / "m", tensors, {"quant_method": "unheard-of"}) == 24 + 8


def test_what_is_no_code_stands_for_just_as_many_numbers(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "m", {NORM: np.ones(8, np.float32)}, CONFIG)
    manifest = hash_folder(tmp_path / "m").manifest
    assert [count for count in range(400) if manifest.may_stand_for(count)] == [8]
    assert not manifest.may_stand_for("8")
