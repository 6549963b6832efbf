"""Children with packed weights: what is stored, what it is worth, what the config says of it."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.whole import whole
from tests.builders import Array, read_folder
from tests.engines.packings import DOWN, UP, opened_model, packed, planned, wide_llama, wide_tensors
from tests.mixtures import fused, mixture, write_mixture
from tests.reference import packed as reference
from tests.reference.grid import grid_of

F32 = np.float32
KINDS = {"BF16": ml_dtypes.bfloat16, "F16": np.float16, "F32": np.float32}
WHOLE_NUMBERS: list[dict[str, Any]] = [
    *({"scheme": f"w{bits}a16"} for bits in range(2, 9)),
    {"scheme": "w4a16", "group_size": 32},
    {"scheme": "W4A16", "group_size": "channel"},
    {"scheme": "w8a16", "group_size": "tensor"},
    {"scheme": "w4a16", "symmetric": False},
    {"scheme": "w3a16", "symmetric": False, "group_size": 64},
    {"scheme": "w8a16", "symmetric": False, "group_size": "channel"},
    {"scheme": "w8a8"},
]
FLOATS = ["fp8_dynamic", "fp8_block", "nvfp4", "mxfp4"]


def expected(weight: Array, options: dict[str, Any], dtype: str) -> Array:
    """What a weight is worth once it is rounded, by definition."""
    match options["scheme"]:
        case "fp8_dynamic":
            return reference.float8(weight, (1, weight.shape[1]), KINDS[dtype])
        case "fp8_block":
            return reference.float8(weight, (128, 128), KINDS[dtype])
        case "nvfp4":
            return reference.nvfp4(weight)
        case "mxfp4":
            return reference.mxfp4(weight)
        case scheme:
            bits, symmetric = int(scheme[1]), options.get("symmetric", True)
            size = options.get("group_size", "channel" if scheme == "w8a8" else 128)
            shaped = weight.reshape(1, -1) if size == "tensor" else weight
            group = size if isinstance(size, int) else None
            scales, zeros, codes = grid_of(shaped, bits, symmetric=symmetric, group=group, scale_dtype=dtype)
            each = shaped.shape[1] // scales.shape[1]
            worth = (codes - np.repeat(zeros, each, axis=1)).astype(F32) * np.repeat(scales, each, axis=1)
            return worth.reshape(weight.shape)


def stored_worth(tensors: dict[str, Array], layer: str, scheme: str) -> Array:
    if scheme in {"nvfp4", "mxfp4"}:
        return reference.worth_of_nibbles(tensors, layer)
    if scheme.lower().endswith("a16"):
        return reference.worth_of_whole_numbers(tensors, layer, int(scheme[1]))
    return reference.worth_of_bytes(tensors, layer, 128 if scheme == "fp8_block" else None)


@pytest.mark.parametrize("options", WHOLE_NUMBERS, ids=str)
def test_whole_numbers_are_worth_what_the_grid_makes_of_the_weights(tmp_path: Path, options: dict[str, Any]) -> None:
    tensors, weights = read_folder(packed(wide_llama(tmp_path / "m"), tmp_path / "c", **options)), wide_tensors()
    options = {**options, "scheme": options["scheme"].lower()}
    for layer in (UP, DOWN):
        worth = stored_worth(tensors, layer, options["scheme"])
        assert np.array_equal(worth, expected(weights[f"{layer}.weight"].astype(F32), options, "BF16"))


@pytest.mark.parametrize("scheme", FLOATS)
def test_floats_are_worth_what_their_definition_makes_of_the_weights(tmp_path: Path, scheme: str) -> None:
    tensors, weights = read_folder(packed(wide_llama(tmp_path / "m"), tmp_path / "c", scheme=scheme)), wide_tensors()
    for layer in (UP, DOWN):
        worth, weight = stored_worth(tensors, layer, scheme), weights[f"{layer}.weight"].astype(F32)
        with np.errstate(invalid="ignore", divide="ignore"):  # a row of zeros
            exact = expected(weight, {"scheme": scheme}, "BF16")
        ordinary = [row for row in range(len(weight)) if layer != UP or row not in {3, 9}]
        assert np.array_equal(worth[ordinary], exact[ordinary])
        if layer == UP:
            assert not worth[3].any()
            assert np.abs(worth[9] - weight[9]).max() <= np.abs(weight[9]).max()


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("options", [{"scheme": "w4a16"}, {"scheme": "w8a8"}, {"scheme": "fp8_block"}], ids=str)
def test_scales_have_the_dtype_of_the_weights(tmp_path: Path, options: dict[str, Any], dtype: str) -> None:
    tensors = read_folder(packed(wide_llama(tmp_path / "m", KINDS[dtype]), tmp_path / "child", **options))
    assert tensors[f"{DOWN}.weight_scale"].dtype == KINDS[dtype]
    weight = wide_tensors(dtype=KINDS[dtype])[f"{DOWN}.weight"].astype(F32)
    worth = stored_worth(tensors, DOWN, options["scheme"])
    assert np.array_equal(worth, expected(weight, options, dtype))


@pytest.mark.parametrize("options", [*WHOLE_NUMBERS, *({"scheme": scheme} for scheme in FLOATS)], ids=str)
def test_what_is_stored_is_read_again_with_equal_values(tmp_path: Path, options: dict[str, Any]) -> None:
    parent = wide_llama(tmp_path / "m")
    child = packed(parent, tmp_path / "child", **options)
    tensors, model = read_folder(child), opened_model(child)
    assert set(model) == set(opened_model(parent))
    with OpenFiles() as files:
        for name, values in ((name, whole(model.sources[name], files)) for name in model):
            layer = name.removesuffix(".weight")
            exact = (
                tensors[name].astype(F32)
                if "_proj" not in name
                else stored_worth(tensors, layer, options["scheme"].lower())
            )
            assert np.array_equal(values, exact), name
            assert model.sources[name].dtype == "BF16"


def test_a_tensor_is_named_typed_and_shaped_as_vllm_has_it(tmp_path: Path) -> None:
    tensors = read_folder(packed(wide_llama(tmp_path / "m"), tmp_path / "child", scheme="w3a16", symmetric=False))
    found = {name.removeprefix(f"{DOWN}."): one for name, one in tensors.items() if name.startswith(DOWN)}
    assert {name: (one.dtype, one.shape) for name, one in found.items()} == {
        "weight_packed": (np.dtype(np.int32), (128, 24)),
        "weight_scale": (np.dtype(ml_dtypes.bfloat16), (128, 2)),
        "weight_zero_point": (np.dtype(np.int32), (12, 2)),
        "weight_shape": (np.dtype(np.int64), (2,)),
    }
    assert found["weight_shape"].tolist() == [128, 256]


def test_what_is_not_quantized_is_copied(tmp_path: Path) -> None:
    parent = wide_llama(tmp_path / "m", attention_bias=True)
    tensors, weights = read_folder(packed(parent, tmp_path / "child", scheme="w4a16")), read_folder(parent)
    kept = {name for name in weights if "_proj.weight" not in name}
    assert any(name.endswith("bias") for name in kept)
    assert {"lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"} <= kept
    assert kept == {name for name in tensors if ".weight_" not in name}
    assert all(tensors[name].tobytes() == weights[name].tobytes() for name in kept)


def test_the_config_says_what_is_stored(tmp_path: Path) -> None:
    parent = wide_llama(tmp_path / "m")
    packed(parent, tmp_path / "child", scheme="w4a16", group_size=32, symmetric=False, ignore=["lm_head", "re:.*1.mlp"])
    config = json.loads((tmp_path / "child" / "config.json").read_text())
    said = config.pop("quantization_config")
    assert config == json.loads((parent / "config.json").read_text())
    group = said["config_groups"]["group_0"]
    assert group["weights"] == {
        "num_bits": 4,
        "type": "int",
        "symmetric": False,
        "group_size": 32,
        "strategy": "group",
        "dynamic": False,
    }
    assert group["targets"] == ["Linear"]
    assert (said["format"], group["format"], said["quant_method"]) == (*["pack-quantized"] * 2, "compressed-tensors")
    assert said["quantization_status"] == "compressed"
    blocks = [f"model.layers.1.mlp.{one}_proj" for one in ("down", "gate", "up")]
    assert said["ignore"] == ["lm_head", *blocks]


@pytest.mark.parametrize(
    ("scheme", "form", "inputs"),
    [
        ("w8a8", "int-quantized", ("int", 8, "token")),
        ("fp8_dynamic", "float-quantized", ("float", 8, "token")),
        ("fp8_block", "float-quantized", ("float", 8, "group")),
        ("nvfp4", "nvfp4-pack-quantized", None),
        ("mxfp4", "mxfp4-pack-quantized", None),
    ],
)
def test_the_config_says_how_what_a_layer_multiplies_is_rounded(
    tmp_path: Path, scheme: str, form: str, inputs: tuple[str, int, str] | None
) -> None:
    packed(wide_llama(tmp_path / "m"), tmp_path / "child", scheme=scheme)
    said = json.loads((tmp_path / "child" / "config.json").read_text())["quantization_config"]
    found = said["config_groups"]["group_0"]["input_activations"]
    assert said["format"] == form
    assert inputs == (found and (found["type"], found["num_bits"], found["strategy"]))
    assert found is None or found["dynamic"]


def test_a_tied_head_is_named_among_what_is_ignored(tmp_path: Path) -> None:
    parent = wide_llama(tmp_path / "m", tie_word_embeddings=True)
    packed(parent, tmp_path / "child", scheme="w4a16")
    said = json.loads((tmp_path / "child" / "config.json").read_text())["quantization_config"]
    assert said["ignore"] == ["lm_head"]


def test_a_head_is_quantized_where_nothing_is_ignored(tmp_path: Path) -> None:
    tensors = read_folder(packed(wide_llama(tmp_path / "m"), tmp_path / "child", scheme="w4a16", ignore=[]))
    assert "lm_head.weight_packed" in tensors
    assert "lm_head.weight" not in tensors
    assert "model.embed_tokens.weight" in tensors


def test_experts_are_quantized_one_by_one_however_they_are_stored_and_routers_are_not(tmp_path: Path) -> None:
    options: dict[str, Any] = {"scheme": "w4a16", "group_size": "channel"}
    tensors = read_folder(packed(write_mixture(tmp_path / "m", mixture(1)), tmp_path / "c", **options))
    said = json.loads((tmp_path / "c" / "config.json").read_text())["quantization_config"]
    assert len([name for name in tensors if ".experts." in name and name.endswith("weight_packed")]) > 3
    routers = {name.removesuffix(".weight") for name in tensors if name.endswith("mlp.gate.weight")}
    assert routers
    assert routers <= set(said["ignore"])
    together = read_folder(packed(write_mixture(tmp_path / "f", fused(mixture(1))), tmp_path / "d", **options))
    assert together.keys() == tensors.keys()
    assert all(together[name].tobytes() == one.tobytes() for name, one in tensors.items())


def test_the_plan_knows_every_tensor_before_a_weight_is_read(tmp_path: Path) -> None:
    plan, parent = planned(wide_llama(tmp_path / "m"), scheme="w4a16"), read_folder(tmp_path / "m")
    assert sum(one.byte_length for one in plan.planned) < sum(one.nbytes for one in parent.values()) / 2
    assert {one.name for one in plan.planned} == set(
        read_folder(packed(tmp_path / "m", tmp_path / "c", scheme="w4a16"))
    )
    assert plan.bytes_read == sum(one.nbytes for one in parent.values())
    looked = planned(tmp_path / "m", scheme="nvfp4")
    quantized = sum(one.nbytes for name, one in parent.items() if "_proj" in name)
    assert looked.bytes_read == plan.bytes_read + quantized
