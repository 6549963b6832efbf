"""Weights stored as codes as parents: each value is what a slow transcription of its format makes of the codes."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream import tensor_pass
from lineal.errors import CheckpointError
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.passthrough import Passthrough
from tests.builders import CONFIG, Array, make_adapter, make_checkpoint, random_tensors, read_folder
from tests.engines.merges import write
from tests.reference.quantized import FORMS, Stored, compressed, grouped, int8

LAYER, NORM = "model.layers.0.mlp.", "model.norm.weight"
EXPERTS = 3


def shape_of(form: str) -> tuple[int, ...]:
    """Odd where the format lets it be."""
    match form.split():
        case ["gpt-oss"]:
            return EXPERTS, 64, 22
        case ["experts", "of", *_]:
            return EXPERTS, 70, 100
        case [_, "of", *_] | ["fp8" | "w8a8" | "fbgemm" | "weight_scale_inv" | ".scale" | ".qscale_weight", *_]:
            return 37, 51
        case _:
            return 37, 96


def stored(form: str, seed: int = 1) -> Stored:
    values = np.random.default_rng(seed).standard_normal(shape_of(form)).astype(np.float32) * np.float32(0.05)
    return FORMS[form].store(values)


def make(folder: Path, form: str, seed: int = 1, **config: Any) -> Path:
    tensors = {f"{LAYER}{name}": tensor for name, tensor in stored(form, seed).tensors.items()}
    tensors[NORM] = random_tensors(3, {NORM: (8,)})[NORM].astype(ml_dtypes.bfloat16)
    settings = {"quantization_config": FORMS[form].settings, "dtype": "float32"}
    return make_checkpoint(folder, tensors, {**CONFIG, **settings, **config})


def opened(folder: Path) -> Model:
    return full_model(folder.name, open_checkpoint(folder))


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("window", [1 << 17, 37])
def test_values_are_what_the_format_says_whatever_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, window: int
) -> None:
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
    folder = make(tmp_path / "a", form)
    hashes = write(plan_merge(Passthrough(), [opened(folder)]), tmp_path / "child")
    child, name = read_folder(tmp_path / "child"), f"{LAYER}{FORMS[form].published}"
    assert set(child) == {name, NORM}
    assert child[name].dtype == np.float32
    assert child[name].tobytes() == np.ascontiguousarray(stored(form).values).tobytes()
    (read,) = hashes.values()
    content = {name: blake3(tensor.tobytes()).digest() for name, tensor in read_folder(folder).items()}
    assert read == content


@pytest.mark.parametrize("form", ["w4a16", "w3a16 of rows", "mxfp8", "gpt-oss"])
def test_a_child_of_codes_is_stored_as_the_config_says(tmp_path: Path, form: str) -> None:
    parent = opened(make(tmp_path / "a", form, dtype="float16"))
    other = opened(make(tmp_path / "b", form, seed=2, dtype=None))
    write(plan_merge(Linear(), [parent, other]), tmp_path / "child")
    half = [one.values * np.float32(0.5) for one in (stored(form), stored(form, 2))]
    name = f"{LAYER}{FORMS[form].published}"
    assert np.array_equal(read_folder(tmp_path / "child")[name], (half[0] + half[1]).astype(np.float16))
    write(plan_merge(Linear(), [other, parent]), tmp_path / "other")
    assert read_folder(tmp_path / "other")[name].dtype == ml_dtypes.bfloat16


def test_an_adapter_goes_on_top_of_decoded_codes(tmp_path: Path) -> None:
    rows, columns = shape_of("w4a16")
    drawn = random_tensors(7, {"a": (2, columns), "b": (rows, 2)})
    adapter = make_adapter(tmp_path / "adapter", {f"{LAYER}up_proj": (drawn["a"], drawn["b"])})
    tensors = {f"{LAYER}up_proj.{name}": tensor for name, tensor in stored("w4a16").tensors.items()}
    config = {**CONFIG, "quantization_config": FORMS["w4a16"].settings, "dtype": "float32"}
    base = open_checkpoint(make_checkpoint(tmp_path / "base", tensors, config))
    model = full_model("a", base, open_checkpoint(adapter))
    write(plan_merge(Passthrough(), [model]), tmp_path / "child")
    product = (2 * drawn["b"])[:, :1] * drawn["a"][:1]
    product = product + (2 * drawn["b"])[:, 1:] * drawn["a"][1:]
    found = read_folder(tmp_path / "child")[f"{LAYER}up_proj.weight"]
    np.testing.assert_allclose(found, stored("w4a16").values + product, rtol=0, atol=1e-6)


def in_two_groups(first: Any, second: Any, **targets: list[str]) -> dict[str, Any]:
    """The settings of a folder with two config_groups; targets: of group_0 and group_1."""
    groups = {
        name: {**form.settings["config_groups"]["group_0"], "targets": targets.get(name, ["Linear"])}
        for name, form in (("group_0", first), ("group_1", second))
    }
    return {**compressed("mixed-precision", {}), "config_groups": groups}


def test_layers_of_one_folder_may_be_stored_in_several_formats(tmp_path: Path) -> None:
    up, down = (f"model.layers.0.mlp.{one}_proj." for one in ("up", "down"))
    values = random_tensors(1, {up: (16, 64), down: (16, 64)})
    forms = {up: grouped(4, 32), down: int8("channel")}
    parts = {name: form.store(values[name]) for name, form in forms.items()}
    tensors = {f"{name}{end}": t for name, part in parts.items() for end, t in part.tensors.items()}
    tensors |= {"lm_head.weight": values[up], f"{down}input_scale": np.ones(1, np.float32)}
    config = {**CONFIG, "dtype": "float32", "quantization_config": in_two_groups(*forms.values())}
    write(plan_merge(Passthrough(), [opened(make_checkpoint(tmp_path / "a", tensors, config))]), tmp_path / "child")
    child = read_folder(tmp_path / "child")
    assert set(child) == {f"{up}weight", f"{down}weight", "lm_head.weight"}
    for name, part in parts.items():
        assert child[f"{name}weight"].tobytes() == part.values.tobytes()


def test_where_tensors_do_not_tell_which_group_a_layer_is_in_targets_do(tmp_path: Path) -> None:
    """Words of 32 bits hold a row of 8 codes whether they have 3 or 4 bits."""
    up, down = (f"model.layers.0.mlp.{one}_proj." for one in ("up", "down"))
    values = random_tensors(1, {up: (16, 8), down: (16, 8)})
    forms = {up: grouped(4, None), down: grouped(3, None)}
    parts = {name: form.store(values[name]) for name, form in forms.items()}
    tensors = {f"{name}{end}": t for name, part in parts.items() for end, t in part.tensors.items()}
    named = in_two_groups(*forms.values(), group_1=[r"re:.*down_proj$"], group_0=["up_proj"])
    config = {**CONFIG, "dtype": "float32", "quantization_config": named}
    write(plan_merge(Passthrough(), [opened(make_checkpoint(tmp_path / "a", tensors, config))]), tmp_path / "child")
    for name, part in parts.items():
        assert read_folder(tmp_path / "child")[f"{name}weight"].tobytes() == part.values.tobytes()
    config["quantization_config"] = in_two_groups(*forms.values())
    with pytest.raises(CheckpointError, match="may be stored in 2 of its config_groups, and none names it alone"):
        opened(make_checkpoint(tmp_path / "b", tensors, config))


Changes = dict[str, Array | None]
FAULTS: list[tuple[str, dict[str, Any], Changes, str]] = [
    ("w4a16", {"transform_config": {"config_groups": {}, "u": 1}}, {}, "holds rotated weights"),
    (
        "w4a16",
        {"format": "marlin-24"},
        {},
        "rows of|in the format 'marlin-24' of compressed-tensors, which is not read",
    ),
    ("w4a16", {"sparsity_config": {"format": "sparse-bitmask"}}, {}, "in the sparse format 'sparse-bitmask'"),
    (
        "w4a16",
        {},
        {"weight_scale": None},
        "'model.layers.0.mlp.weight_packed' has no 'model.layers.0.mlp.weight_scale'",
    ),
    ("w4a16", {}, {"weight_scale": np.ones((37, 3), np.int32)}, "scales of packed integers are F32 or BF16 or F16"),
    ("w4a16", {}, {"weight_packed": np.ones((37, 12), np.uint8)}, "packed integers are I32"),
    ("w4a16", {}, {"weight_packed": np.ones((37, 11), np.int32)}, "rows of 96 codes of 4 bits take other words"),
    ("w4a16", {}, {"weight": np.ones((37, 96), np.float32)}, "holds 'model.layers.0.mlp.weight' twice"),
    ("w4a16 with zeros", {}, {"weight_zero_point": None}, "has no 'model.layers.0.mlp.weight_zero_point'"),
    ("w4a16 with zeros", {}, {"weight_zero_point": np.ones((37, 3), np.int8)}, r"of 4 bits are I32 \[5, 3\]"),
    ("w4a16 in another order", {}, {"weight_g_idx": None}, "its columns in another order .* no weight_g_idx"),
    ("w4a16 in another order", {}, {"weight_g_idx": np.ones(95, np.int32)}, r"groups of columns are I32 \[96\]"),
    ("nvfp4", {}, {"weight_global_scale": None}, "has no 'model.layers.0.mlp.weight_global_scale'"),
    ("mxfp8", {}, {"weight_scale": np.ones((37, 3), np.float32)}, "as F8_E4M3 or F8_E5M2 with scales of F8_E8M0 or U8"),
    (
        "w8a8",
        {},
        {"weight_scale": None},
        "'model.layers.0.mlp.weight' is I8, which are codes, and nothing says of what",
    ),
    ("w8a8", {}, {"weight": np.ones((37, 51), np.float32)}, "it makes no scales for the weight F32"),
    ("weight_scale_inv", {}, {"weight_scale": np.ones((2, 2), np.float32)}, "has scales twice"),
    ("weight_scale_inv", {"weight_block_size": [32]}, {}, r"weight_block_size must be two sizes, got \[32\]"),
    ("weight_scale_inv", {}, {"weight": np.ones((37, 51), np.float32)}, "makes no scales for the weight F32"),
    ("experts as MXFP4 in int8", {}, {"scale": np.ones((37, 4), np.uint8)}, "as MXFP4 has an exponent for each 32"),
    ("gpt-oss", {}, {"experts.gate_up_proj_scales": None}, "has no 'model.layers.0.mlp.experts.gate_up_proj_scales'"),
    (
        "gpt-oss",
        {},
        {"experts.gate_up_proj_blocks": np.ones((3, 22, 2, 16), ml_dtypes.bfloat16)},
        "is BF16 .* the MXFP4 codes of experts are U8",
    ),
]


@pytest.mark.parametrize(("form", "settings", "changes", "message"), FAULTS)
def test_what_is_not_as_its_format_has_it_is_refused_from_headers(
    tmp_path: Path, form: str, settings: dict[str, Any], changes: Changes, message: str
) -> None:
    kept = {f"{LAYER}{name}": tensor for name, tensor in {**stored(form).tensors, **changes}.items()}
    tensors = {name: tensor for name, tensor in kept.items() if tensor is not None}
    config = json.loads(json.dumps({**FORMS[form].settings, **settings}))
    if "format" in settings:
        del config["config_groups"]["group_0"]["format"]
    folder = make_checkpoint(tmp_path / "a", tensors, {**CONFIG, "quantization_config": config})
    with pytest.raises(CheckpointError, match=message):
        opened(folder)


@pytest.mark.parametrize(
    ("config", "tensors", "message"),
    [
        ({"quantization_config": {"quant_method": "torchao"}}, {}, "quantized by torchao .* not read; dequantize it"),
        ({"quantization_config": {"quant_method": "hqq"}}, {}, "quantized by HQQ"),
        ({"quantization_config": {"bits": 4, "group_size": 64}}, {}, "quantized by MLX, which are not read"),
        ({"quantization": {"bits": 4, "group_size": 64}}, {}, "quantized by MLX, which are not read"),
        ({"quantization_config": {"load": 1}}, {}, "a quantization_config without a quant_method"),
        ({}, {"a.weight_packed": np.ones((2, 2), np.int32)}, "the name of a part of compressed-tensors weights"),
        (
            {},
            {"a.experts.gate_up_proj_blocks": np.ones((2, 2), ml_dtypes.bfloat16)},
            r"'a.experts.gate_up_proj_blocks' \(BF16\) has the name of a part of MXFP4 weights",
        ),
        (
            {"quantization_config": {"quant_method": "mxfp4"}},
            {"a.weight": np.ones((2, 2), np.int8)},
            "'a.weight' is I8, which are codes, and nothing says of what",
        ),
    ],
)
def test_what_is_not_read_is_refused_by_name(
    tmp_path: Path, config: dict[str, Any], tensors: dict[str, Array], message: str
) -> None:
    folder = make_checkpoint(tmp_path / "a", {NORM: np.ones(8, np.float32), **tensors}, {**CONFIG, **config})
    with pytest.raises(CheckpointError, match=message):
        opened(folder)


@pytest.mark.parametrize(
    ("form", "changes", "message"),
    [
        ("w4a16", {"weight_shape": np.array([37, 95])}, r"says \[37, 95\], but its codes are \[37, 96\]"),
        (
            "w4a16",
            {"weight_scale": np.full((37, 3), np.nan, ml_dtypes.bfloat16)},
            "nan at element 0 of .*weight_scale'",
        ),
        ("w4a16 in another order", {"weight_g_idx": np.zeros(96, np.int32)}, "into 3 groups of 32 columns"),
        ("w4a16 in another order", {"weight_g_idx": np.full(96, 9, np.int32)}, "into 3 groups of 32 columns"),
        ("nvfp4", {"weight_global_scale": np.zeros(1, np.float32)}, "is zero, and scales are divided by it"),
        ("mxfp4", {"weight_scale": np.full((37, 3), 255, np.uint8)}, "at element .*weight_packed'"),
        ("fp8", {"weight": np.full((37, 51), np.nan, ml_dtypes.float8_e4m3fn)}, "nan at element 0 of"),
    ],
)
def test_values_that_the_format_does_not_allow_stop_the_reading(
    tmp_path: Path, form: str, changes: dict[str, Array], message: str
) -> None:
    tensors = {f"{LAYER}{name}": tensor for name, tensor in {**stored(form).tensors, **changes}.items()}
    config = {**CONFIG, "quantization_config": FORMS[form].settings}
    parent = opened(make_checkpoint(tmp_path / "a", tensors, config))
    with pytest.raises(CheckpointError, match=message):
        write(plan_merge(Passthrough(), [parent]), tmp_path / "child")


def test_columns_whose_groups_are_all_negative_are_in_order(tmp_path: Path) -> None:
    found = stored("w4a16")
    tensors = {f"{LAYER}{name}": tensor for name, tensor in found.tensors.items()}
    tensors[f"{LAYER}weight_g_idx"] = np.full(96, -1, np.int32)
    config = {**CONFIG, "quantization_config": FORMS["w4a16"].settings, "dtype": "float32"}
    write(plan_merge(Passthrough(), [opened(make_checkpoint(tmp_path / "a", tensors, config))]), tmp_path / "child")
    assert read_folder(tmp_path / "child")[f"{LAYER}weight"].tobytes() == found.values.tobytes()


def test_a_config_that_says_quantized_over_plain_weights_is_one_of_plain_weights(tmp_path: Path) -> None:
    folder = make_checkpoint(
        tmp_path / "a", {NORM: np.ones(8, np.float32)}, {**CONFIG, "quantization_config": {"quant_method": "fp8"}}
    )
    assert [(source.codes, source.dtype) for source in opened(folder).sources.values()] == [(None, "F32")]
