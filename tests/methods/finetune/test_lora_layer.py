"""A LoRA layer, against reference values and against PEFT's own layer."""

import json
from pathlib import Path

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.finetune.lora import LoraConfig
from lineal.methods.finetune.lora_layer import LoraLayer

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "formulas.json").read_text())["lora"]


def vector(name, dtype=np.float64):
    return np.array(VECTORS[name], dtype)


def layer(dtype=np.float64, *, rank_stabilized: bool = False) -> LoraLayer:
    config = LoraConfig(rank=VECTORS["rank"], alpha=VECTORS["alpha"], rank_stabilized=rank_stabilized)
    return LoraLayer(vector("weight", dtype), vector("lora_A", dtype), vector("lora_B", dtype), config.scaling)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_weights_and_outputs_are_the_reference_values(dtype, rtol):
    assert layer(dtype).effective_weight() == pytest.approx(vector("effective_weight"), rel=rtol)
    stabilized = layer(dtype, rank_stabilized=True).effective_weight()
    assert stabilized == pytest.approx(vector("rank_stabilized"), rel=rtol)
    assert layer(dtype).forward(vector("x", dtype)) == pytest.approx(vector("forward"), rel=rtol, abs=1e-6)


def test_the_dtype_is_kept():
    single = layer(np.float32)
    assert single.effective_weight().dtype == single.forward(vector("x", np.float32)).dtype == np.float32


def test_parameters_are_counted():
    assert (layer().trainable, layer().total) == (VECTORS["trainable"], VECTORS["total"])


def test_merging_changes_the_weight_and_not_the_output():
    merged = layer()
    merged.merge()
    assert np.array_equal(merged.weight, layer().effective_weight())
    assert np.array_equal(merged.effective_weight(), merged.weight)
    assert merged.forward(vector("x")) == pytest.approx(vector("forward"), rel=1e-12)


def test_unmerging_restores_every_bit():
    restored = layer(np.float32)
    for _ in range(3):
        restored.merge()
        restored.unmerge()
    assert np.array_equal(restored.weight, vector("weight", np.float32))


def test_merging_twice_or_unmerging_the_unmerged_is_an_error():
    twice = layer()
    with pytest.raises(MethodError, match="not merged"):
        twice.unmerge()
    twice.merge()
    with pytest.raises(MethodError, match="merged already"):
        twice.merge()


def test_a_zero_B_changes_nothing():
    weight = vector("weight")
    untrained = LoraLayer(weight, vector("lora_A"), np.zeros_like(vector("lora_B")), 2.0)
    assert np.array_equal(untrained.effective_weight(), weight)


def test_matrices_that_do_not_fit_or_differ_in_dtype_are_refused():
    with pytest.raises(MethodError, match="do not fit"):
        LoraLayer(vector("weight"), vector("lora_B"), vector("lora_A"), 1.0)
    with pytest.raises(MethodError, match="share a dtype"):
        LoraLayer(vector("weight"), vector("lora_A", np.float32), vector("lora_B"), 1.0)


@pytest.mark.parametrize("rank_stabilized", [False, True])
def test_the_output_is_that_of_PEFTs_own_layer(rank_stabilized):
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    ours = layer(np.float32, rank_stabilized=rank_stabilized)
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 6, bias=False))
    settings = peft.LoraConfig(
        r=VECTORS["rank"], lora_alpha=VECTORS["alpha"], use_rslora=rank_stabilized, target_modules=["0"]
    )
    theirs = peft.get_peft_model(theirs, settings).base_model.model[0]
    with torch.no_grad():
        theirs.base_layer.weight.copy_(torch.from_numpy(ours.weight))
        theirs.lora_A["default"].weight.copy_(torch.from_numpy(ours.A))
        theirs.lora_B["default"].weight.copy_(torch.from_numpy(ours.B))
        x = vector("x", np.float32)
        assert ours.forward(x) == pytest.approx(theirs(torch.from_numpy(x)).numpy(), rel=1e-5, abs=1e-6)
        theirs.merge()
        assert ours.effective_weight() == pytest.approx(theirs.base_layer.weight.numpy(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("weight", "a", "b", "message"),
    [
        (np.ones((2, 3)), np.ones(3), np.ones((2, 1)), r"A \[3\] and B \[2, 1\] do not fit a weight \[2, 3\]"),
        (np.ones((2, 3)), np.float64(1), np.ones((2, 1)), "A must be a numpy array, got float64"),
        (np.ones((2, 3)), np.array(1.0), np.ones((2, 1)), r"A \[\] and B"),
        (np.ones((2, 3)), np.ones((0, 3)), np.ones((2, 0)), "do not fit"),
        ([[1.0]], [[1.0]], [[1.0]], "weight must be a numpy array, got list"),
        (np.ones((2, 3), int), np.ones((1, 3), int), np.ones((2, 1), int), "weight must hold float16, .* got int64"),
    ],
)
def test_what_is_no_matrix_of_floats_is_refused(weight, a, b, message):
    with pytest.raises(MethodError, match=message):
        LoraLayer(weight, a, b, 0.5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 6)), r"x \[2, 6\] does not fit a weight \[6, 5\]"),
        (np.array(1.0), r"x \[\] does not fit"),
        ([1.0] * 5, "x must be a numpy array, got list"),
        (np.ones(5, bool), "x must hold float16, float32 or float64, got bool"),
    ],
)
def test_inputs_of_another_width_or_type_are_refused(x, message):
    with pytest.raises(MethodError, match=message):
        layer().forward(x)
