"""What stands against packed weights is told with the tensor, what is wrong and what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.errors import CheckpointError, MethodError
from lineal.methods.quantize.rtn import RoundToNearest
from tests.builders import make_checkpoint, read_folder
from tests.engines.packings import UP, WIDE, packed, planned, wide_llama, wide_tensors

F32 = np.float32


def changed(folder: Path, value: float, dtype: Any = F32) -> Path:
    """A model with one other number, in row 1 of a matrix."""
    tensors = wide_tensors(dtype=dtype)
    tensors[f"{UP}.weight"][1, 2] = value
    return make_checkpoint(folder, tensors, WIDE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheme": "w4a16"}, r"rows of 96, no whole groups of 128; group_size 32 fits, or leave it .* ignore"),
        ({"scheme": "w4a16", "group_size": 64}, r"down_proj.weight' \[64, 96\] has rows of 96, no whole groups of 64"),
        ({"scheme": "mxfp4", "hidden": 72}, r"rows of 72, no whole groups of 32; leave it as it is with ignore"),
        ({"scheme": "w4a16", "hidden": 72}, r"rows of 72, no whole groups of 128; group_size channel fits"),
    ],
)
def test_rows_that_are_no_whole_groups_are_named_with_a_way_out(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    sizes = {"hidden_size": options.pop("hidden", 64), "intermediate_size": 96}
    parent = wide_llama(tmp_path / "mine", **sizes)
    with pytest.raises(CheckpointError, match=rf"^mine cannot be stored as {options['scheme']}: (.|\n)*{said}"):
        planned(parent, **options)


def test_what_stands_against_many_layers_is_told_once_with_the_first_of_them(tmp_path: Path) -> None:
    parent = wide_llama(tmp_path / "mine", hidden_size=64, intermediate_size=96)
    with pytest.raises(CheckpointError) as error:
        planned(parent, scheme="w4a16")
    way_out = "group_size 32 fits, or leave it as it is with ignore"
    down, others = str(error.value).split(": ", 1)[1].split("; 'model")
    assert down.startswith("'model.layers.0.mlp.down_proj.weight' [64, 96] has rows of 96, no whole groups of 128; ")
    assert down.endswith(f"{way_out} (1 more like it)")
    assert others.startswith(".layers.0.mlp.gate_proj.weight' [96, 64] has rows of 64, no whole groups of 128; ")
    assert others.count("more like it") == 1


@pytest.mark.parametrize("scheme", ["w4a16", "w8a8", "fp8_dynamic", "fp8_block", "nvfp4", "mxfp4"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_with_its_place(tmp_path: Path, scheme: str, value: float) -> None:
    with pytest.raises(CheckpointError, match=rf"at element 130 of '{UP}.weight'"):
        packed(changed(tmp_path / "m", value), tmp_path / "child", scheme=scheme)


@pytest.mark.parametrize("scheme", ["w4a16", "w8a8", "fp8_dynamic", "nvfp4", "mxfp4"])
def test_what_is_no_number_has_no_code_even_where_it_may_pass(tmp_path: Path, scheme: str) -> None:
    from tests.engines.quantizations import write

    plan = planned(changed(tmp_path / "m", np.nan), scheme=scheme)
    with pytest.raises(CheckpointError, match=rf"nan at element 130 of '{UP}.weight' \(as {scheme}\), which no code"):
        write(plan, tmp_path / "child", allow_nonfinite=True)


def test_weights_too_far_apart_for_their_scales_are_refused(tmp_path: Path) -> None:
    tensors = wide_tensors()
    tensors[f"{UP}.weight"][1, 2], tensors[f"{UP}.weight"][1, 3] = 3e38, -3e38
    parent = make_checkpoint(tmp_path / "m", tensors, WIDE)
    with pytest.raises(CheckpointError, match=rf"'{UP}.weight' \(as w4a16\): its weights are too far apart .* in BF16"):
        packed(parent, tmp_path / "child", scheme="w4a16", symmetric=False)
    packed(parent, tmp_path / "other", scheme="w4a16")


@pytest.mark.parametrize("pattern", ["model.layers.7.mlp.up_proj", "re:.*up_porj", "up_proj"])
def test_a_name_that_is_no_layer_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(CheckpointError, match=r"^mine: ignore: .* is no linear layer of it"):
        planned(wide_llama(tmp_path / "mine"), scheme="w4a16", ignore=[pattern])


def test_a_model_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="every linear layer is ignored"):
        planned(wide_llama(tmp_path / "mine"), scheme="w4a16", ignore=["re:.*"])


def test_an_architecture_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="what its tensors do is not known for model_type 'strange'"):
        planned(wide_llama(tmp_path / "mine", model_type="strange"), scheme="w4a16")


def test_weights_in_float64_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is F64, which is not quantized as it is \(BF16, F16, F32 are\)"):
        planned(wide_llama(tmp_path / "mine", np.float64), scheme="w4a16")


def test_an_uneven_float8_block_is_remarked_and_stored(tmp_path: Path) -> None:
    parent = wide_llama(tmp_path / "m", hidden_size=96)
    assert any("no whole blocks of 128 x 128" in remark for remark in planned(parent, scheme="fp8_block").remarks)
    tensors = read_folder(packed(parent, tmp_path / "child", scheme="fp8_block"))
    assert tensors[f"{UP}.weight_scale"].shape == (2, 1)


def test_zero_points_are_remarked(tmp_path: Path) -> None:
    remarks = planned(wide_llama(tmp_path / "m"), scheme="w4a16", symmetric=False).remarks
    assert any("dequantize=True" in remark for remark in remarks)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheme": "w4a61"}, "unknown scheme 'w4a61' .did you mean w4a16"),
        ({"scheme": "w4a16", "group_size": 48}, "group_size is one of 32, 64, 128, channel or tensor, got '48'"),
        ({"scheme": "w8a8", "group_size": 32}, "w8a8 has scales of its own kind; leave group_size out"),
        ({"scheme": "mxfp4", "symmetric": False}, "mxfp4 has no zero points; leave symmetric out"),
        ({"scheme": "w4a16", "symmetric": False, "group_size": "tensor"}, "has no zero point"),
        ({"scheme": "fp8"}, "rtn: fp8 stores scales of what layers multiply, which only texts tell.*fp8_dynamic"),
        ({}, "scheme"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        RoundToNearest.from_options(options)


def test_what_nobody_says_is_recorded() -> None:
    assert RoundToNearest.from_options({"scheme": "W4A16"}) == RoundToNearest(scheme="w4a16", group_size=128)
    assert RoundToNearest.from_options({"scheme": "W4A16", "group_size": "32"}).options() == {
        "scheme": "w4a16",
        "group_size": 32,
        "symmetric": True,
        "clipping": "min_max",
        "ignore": ["lm_head"],
    }
    assert RoundToNearest(scheme="w8a8").group_size is None
