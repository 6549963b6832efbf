"""Children in bitsandbytes' codes: what is stored, what is read of it again, and what is refused."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import Planned
from lineal.engines.parents.model import Model, full_model
from lineal.engines.quantize.bitsandbytes_plan import bitsandbytes_tensors, plan_bitsandbytes
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.whole import whole
from lineal.errors import CheckpointError, MethodError
from lineal.methods.quantize.bitsandbytes import BitsAndBytes
from tests.builders import Array, read_folder
from tests.engines.quantizations import Q, write
from tests.engines.tiny_models import make_model, stored_in
from tests.reference import bitsandbytes_codes as reference

F32 = np.float32
KINDS = {torch.float32: F32, torch.bfloat16: ml_dtypes.bfloat16, torch.float16: np.float16}
SCHEMES: list[dict[str, Any]] = [
    {"scheme": "nf4"},
    {"scheme": "nf4", "double_quantization": False, "block_size": 32},
    {"scheme": "FP4"},
    {"scheme": "int8"},
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[torch.dtype, Path]:
    """Stored in each dtype, with norms in float32."""
    folder = tmp_path_factory.mktemp("models")
    source = make_model(folder / "source", hidden_size=64, intermediate_size=128)
    norms = {name: torch.float32 for name in load_file(source / "model.safetensors") if "norm" in name}
    return {dtype: stored_in(folder / f"{dtype}", source, norms, dtype) for dtype in KINDS}


def model_of(folder: Path) -> Model:
    return full_model(folder.name, open_checkpoint(folder))


def made(parent: Path, out: Path, *, allow_nonfinite: bool = False, **options: Any) -> Path:
    planned = plan_bitsandbytes(BitsAndBytes.from_options(options), model_of(parent))
    write(planned, out, allow_nonfinite=allow_nonfinite)
    return out


def expected(weight: Array, scheme: str, block_size: int = 64) -> Array:
    """What an encoded weight is worth, before scales are codes themselves."""
    if scheme == "int8":
        codes, largest = reference.eight_bits(weight)
        return np.array(codes, F32) * np.array(largest, F32)[:, None] * F32(7.874015718698502e-3)
    codes, scales = reference.four_bits(weight, scheme, block_size)
    levels = np.array(reference.levels(scheme), F32)
    return (levels[codes] * np.repeat(np.array(scales, F32), block_size)).reshape(weight.shape)


@pytest.mark.parametrize("dtype", KINDS, ids=str)
@pytest.mark.parametrize("options", SCHEMES, ids=str)
def test_a_child_is_read_as_what_its_codes_are_worth(
    models: dict[torch.dtype, Path], tmp_path: Path, options: dict[str, Any], dtype: torch.dtype
) -> None:
    child = model_of(made(models[dtype], tmp_path / "child", **options))
    parent, method = read_folder(models[dtype]), BitsAndBytes.from_options(options)
    with OpenFiles() as files:
        found = {name: whole(child.sources[name], files) for name in child}
    assert found.keys() == parent.keys()
    for name, values in found.items():
        weight = parent[name].astype(F32)
        if ".self_attn." not in name and ".mlp." not in name:
            assert np.array_equal(values, weight.astype(KINDS[dtype]).astype(F32))
            continue
        exact = expected(weight, method.scheme, method.block_size)
        if method.scheme == "int8" or not method.double_quantization:
            assert np.array_equal(values, exact)
        else:  # scales are rounded to steps of their own
            assert not np.array_equal(values, exact)
            assert abs(values - exact).max() < 0.02 * abs(exact).max()


@pytest.mark.parametrize("options", SCHEMES, ids=str)
def test_the_plan_says_what_is_stored_and_how_large_it_is(
    models: dict[torch.dtype, Path], tmp_path: Path, options: dict[str, Any]
) -> None:
    method, parent = BitsAndBytes.from_options(options), model_of(models[torch.bfloat16])
    planned = {one.name: one for one in plan_bitsandbytes(method, parent).planned}
    tensors = [Planned(name, source.dtype, source.shape) for name, source in parent.sources.items()]
    assert planned == {one.name: one for one in bitsandbytes_tensors(method, tensors, parent.config, "parent")}
    stored = read_folder(made(models[torch.bfloat16], tmp_path / "child", **options))
    assert {name: one.shape for name, one in planned.items()} == {name: array.shape for name, array in stored.items()}


def test_what_is_stored_of_a_weight(models: dict[torch.dtype, Path], tmp_path: Path) -> None:
    child = read_folder(made(models[torch.bfloat16], tmp_path / "nf4", scheme="nf4"))
    weight = read_folder(models[torch.bfloat16])[f"{Q}.weight"].astype(F32)
    codes, scales = reference.four_bits(weight, "nf4", 64)
    assert child[f"{Q}.weight"].tobytes() == reference.packed(codes, "nf4")
    assert child[f"{Q}.weight"].shape == (64 * 64 // 2, 1)
    state = json.loads(child[f"{Q}.weight.quant_state.bitsandbytes__nf4"].tobytes())
    offset = F32(state.pop("nested_offset"))
    numbers = child[f"{Q}.weight.nested_quant_map"]
    nested, largest = reference.nested(scales, offset, numbers)
    assert abs(offset - np.mean(scales)) < 1e-6 * offset
    assert child[f"{Q}.weight.absmax"].tolist() == nested
    assert child[f"{Q}.weight.nested_absmax"].tolist() == largest
    assert child[f"{Q}.weight.quant_map"].tolist() == reference.levels("nf4")
    assert state == {
        "quant_type": "nf4",
        "blocksize": 64,
        "dtype": "bfloat16",
        "shape": [64, 64],
        "nested_blocksize": 256,
        "nested_dtype": "float32",
    }


def test_config_says_how_transformers_loads_it(models: dict[torch.dtype, Path], tmp_path: Path) -> None:
    made(models[torch.float16], tmp_path / "fp4", scheme="fp4", double_quantization=False)
    said = json.loads((tmp_path / "fp4" / "config.json").read_text())["quantization_config"]
    assert said["quant_method"] == "bitsandbytes"
    assert (said["load_in_4bit"], said["load_in_8bit"]) == (True, False)
    assert (said["bnb_4bit_quant_type"], said["bnb_4bit_use_double_quant"]) == ("fp4", False)
    assert said["bnb_4bit_compute_dtype"] == "float16"
    assert said["llm_int8_skip_modules"] == ["lm_head"]
    made(models[torch.float16], tmp_path / "int8", scheme="int8", ignore=["re:.*mlp", "lm_head"])
    said = json.loads((tmp_path / "int8" / "config.json").read_text())["quantization_config"]
    assert (said["load_in_4bit"], said["load_in_8bit"]) == (False, True)
    mlp = [f"model.layers.{block}.mlp.{part}_proj" for block in (0, 1) for part in ("down", "gate", "up")]
    assert said["llm_int8_skip_modules"] == sorted(["lm_head", *mlp])


def test_weights_beside_the_codes_have_one_dtype_and_it_is_said(models: dict[torch.dtype, Path]) -> None:
    plan = plan_bitsandbytes(BitsAndBytes(scheme="nf4"), model_of(models[torch.bfloat16]))
    assert {one.dtype for one in plan.planned if "norm" in one.name or "embed" in one.name} == {"BF16"}
    assert any("5 other weights" in remark and "BF16" in remark for remark in plan.remarks)
    assert not plan_bitsandbytes(BitsAndBytes(scheme="nf4"), model_of(models[torch.float32])).remarks


def changed(folder: Path, out: Path, name: str, change: Any) -> Path:
    """A copy of a model with another tensor."""
    copied = stored_in(out, folder, {}, torch.float32)
    tensors = load_file(copied / "model.safetensors")
    tensors[name] = change(tensors[name])
    save_file(tensors, copied / "model.safetensors", {"format": "pt"})
    return copied


def _with(value: float) -> Any:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor[2, 5] = value
        return tensor

    return change


@pytest.mark.parametrize(
    ("scheme", "value", "said"),
    [
        ("nf4", float("nan"), "nan at element 133 of"),
        ("fp4", float("-inf"), "-inf at element 133 of"),
        ("int8", float("inf"), "inf at element 133 of"),
        ("int8", 65520.0, "65520.0 at element 133 of"),
    ],
)
def test_what_has_no_code_is_refused_by_name(
    models: dict[torch.dtype, Path], tmp_path: Path, scheme: str, value: float, said: str
) -> None:
    parent = changed(models[torch.float32], tmp_path / "parent", f"{Q}.weight", _with(value))
    with pytest.raises(CheckpointError, match=rf"{said} .{Q}.*ignore"):
        made(parent, tmp_path / "child", scheme=scheme, allow_nonfinite=True)
    assert made(models[torch.float32], tmp_path / "other", scheme=scheme)


def test_a_row_of_zeros_and_one_of_a_single_value_come_back(models: dict[torch.dtype, Path], tmp_path: Path) -> None:
    def rows(tensor: torch.Tensor) -> torch.Tensor:
        tensor[0], tensor[1] = 0, 0.375
        return tensor

    parent = changed(models[torch.float32], tmp_path / "parent", f"{Q}.weight", rows)
    for number, options in enumerate((*SCHEMES[1:2], *SCHEMES[3:])):
        child = model_of(made(parent, tmp_path / f"{number}", **options))
        with OpenFiles() as files:
            values = whole(child.sources[f"{Q}.weight"], files)
        assert not values[0].any()
        np.testing.assert_allclose(values[1], 0.375, rtol=1e-6)


def test_rows_that_are_no_whole_blocks_are_refused_with_a_way_out(tmp_path: Path) -> None:
    parent = make_model(tmp_path / "parent", hidden_size=64, intermediate_size=96)
    with pytest.raises(CheckpointError, match=r"down_proj.* has rows of 96, no whole blocks of 64; block_size 32 fits"):
        made(parent, tmp_path / "child", scheme="nf4")
    assert made(parent, tmp_path / "32", scheme="nf4", block_size=32)
    assert made(parent, tmp_path / "int8", scheme="int8")
    odd = make_model(tmp_path / "odd", hidden_size=64, intermediate_size=72)
    with pytest.raises(CheckpointError, match=r"no whole blocks of 64; leave it as it is with ignore"):
        made(odd, tmp_path / "child", scheme="nf4")
    assert made(odd, tmp_path / "rest", scheme="nf4", ignore=["lm_head", "re:.*down_proj"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheme": "nf5"}, "unknown scheme.*did you mean nf4"),
        ({"scheme": "nf4", "block_size": 48}, "block_size is one of 32, 64"),
        ({"scheme": "int8", "block_size": 32}, "int8 has one scale a row"),
        ({"scheme": "int8", "double_quantization": False}, "int8 has one scale a row"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        BitsAndBytes.from_options(options)


def test_nothing_to_quantize_is_refused(models: dict[torch.dtype, Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing is left to quantize"):
        made(models[torch.float32], tmp_path / "child", scheme="nf4", ignore=["re:.*"])
