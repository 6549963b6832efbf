"""What a pruning does to which tensor, adapters as parents, and what is refused before a weight is read."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import Model, full_model
from lineal.engines.prune.plan import plan_pruning
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.errors import CheckpointError
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.prune.magnitude import MagnitudePruning
from tests.builders import CONFIG, Array, make_adapter, make_checkpoint, random_tensors, read_folder, same_bits
from tests.engines.merges import write
from tests.engines.prunings import LAYERS, OTHERS, model_tensors, prune
from tests.reference.prune import magnitude

BF16 = ml_dtypes.bfloat16
HALF = MagnitudePruning(sparsity=0.5)
UP = "model.layers.0.mlp.up_proj"


def opened(folder: Path, tensors: dict[str, Array], config: dict[str, Any] | None = None) -> Model:
    return full_model("mine", open_checkpoint(make_checkpoint(folder, tensors, config)))


def test_linear_layers_of_blocks_are_read_by_the_method_and_all_else_once(tmp_path: Path) -> None:
    tensors = {**model_tensors(1), "model.rotary.inv_freq": np.arange(4), "ids": np.arange(9, dtype=np.int64)}
    plan = plan_pruning(HALF, opened(tmp_path, tensors))
    assert {job.planned.name for job in plan.jobs if job.method is HALF} == LAYERS.keys()
    assert {job.planned.name for job in plan.jobs if job.method is None} == tensors.keys() - LAYERS.keys()
    pruned, others = (sum(tensors[name].nbytes for name in names) for names in (LAYERS, tensors.keys() - LAYERS.keys()))
    assert plan.bytes_read == 3 * pruned + others
    assert plan.child.package().keys() == {"config.json"}


def test_every_tensor_keeps_its_own_dtype(tmp_path: Path) -> None:
    dtypes = [np.float32, BF16, np.float16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn]
    parent = {name: t.astype(dtypes[i % 5]) for i, (name, t) in enumerate(model_tensors(1).items())}
    child = prune(tmp_path, HALF, parent)
    assert {name: t.dtype for name, t in child.items()} == {name: t.dtype for name, t in parent.items()}


def test_what_is_not_pruned_may_be_any_bits(tmp_path: Path) -> None:
    parent = model_tensors(1, BF16)
    parent["model.norm.weight"].view(np.uint16)[:] = np.array([0x7F81, 0xFFFF, 0x7F80, 1, 0x8000, 0, 2, 3], np.uint16)
    parent["model.embed_tokens.weight"] = np.random.default_rng(1).standard_normal((11, 8))  # float64
    child = prune(tmp_path, HALF, parent)
    assert all(same_bits(child[name], parent[name]) for name in OTHERS)


@pytest.mark.parametrize("scope", ["tensor", "row"])
@pytest.mark.parametrize("dtype", [np.float32, BF16, np.float16])
def test_an_adapter_is_pruned_as_full_weights_in_float32(tmp_path: Path, scope: str, dtype: type) -> None:
    tensors = model_tensors(1, dtype)
    embedding = "model.embed_tokens"
    pairs = {
        UP: (random_tensors(2, {"a": (2, 4096)})["a"], random_tensors(3, {"b": (3, 2)})["b"]),
        embedding: (random_tensors(4, {"a": (2, 8)})["a"], random_tensors(5, {"b": (11, 2)})["b"]),
    }
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", pairs, lora_alpha=6))
    model = full_model("mine", open_checkpoint(make_checkpoint(tmp_path / "base", tensors)), adapter)
    plan = plan_pruning(MagnitudePruning.from_options({"sparsity": 0.5, "scope": scope}), model)
    assert [job.planned.name for job in plan.jobs if isinstance(job.method, AdapterMerge)] == [f"{embedding}.weight"]
    write(plan, tmp_path / "child")
    child = read_folder(tmp_path / "child")
    for name, (a, b) in pairs.items():
        scaled = np.float32(3) * b
        wide = tensors[f"{name}.weight"].astype(np.float32) + (scaled[:, :1] * a[:1] + scaled[:, 1:] * a[1:])
        expected = magnitude(wide, 0.5, scope).astype(np.float32) if name == UP else wide
        assert same_bits(child[f"{name}.weight"], expected.astype(dtype))
    assert all(same_bits(child[n], tensors[n]) for n in OTHERS if not n.startswith(embedding))


def test_the_inputs_are_hashed_as_they_are_read(tmp_path: Path) -> None:
    model = opened(tmp_path, model_tensors(1))
    found = stream(plan_pruning(HALF, model).jobs, Recomputation())
    assert found[str(tmp_path / "model.safetensors")].keys() == {**LAYERS, **OTHERS}.keys()


def test_nan_in_a_pruned_weight_is_refused_by_name_and_kept_on_request(tmp_path: Path) -> None:
    tensors = model_tensors(1)
    tensors[f"{UP}.weight"][1, 2] = np.nan
    with pytest.raises(
        CheckpointError, match=r"^mine: nan at element 4098 of 'model\.layers\.0\.mlp\.up_proj\.weight'"
    ):
        stream(plan_pruning(HALF, opened(tmp_path / "a", tensors)).jobs, Recomputation())
    assert np.isnan(prune(tmp_path / "b", HALF, tensors, allow_nonfinite=True)[f"{UP}.weight"][1, 2])


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    model = opened(tmp_path, {"transformer.h.0.mlp.c_fc.weight": np.zeros((4, 8))}, {"model_type": "gpt2"})
    with pytest.raises(
        CheckpointError, match=r"^mine: what its tensors do is not known for model_type 'gpt2' \(known: "
    ):
        plan_pruning(HALF, model)


@pytest.mark.parametrize(("dtype", "name"), [(np.float64, "F64"), (np.int8, "I8"), (np.uint8, "U8")])
def test_weights_whose_values_float32_cannot_hold_are_refused(tmp_path: Path, dtype: type, name: str) -> None:
    tensors = {f"{UP}.weight": np.ones((4, 8), dtype)}
    with pytest.raises(CheckpointError, match=f"^mine: '{UP}.weight' is {name}, which cannot be pruned as it is"):
        plan_pruning(HALF, opened(tmp_path, tensors))


def test_quantized_weights_that_cannot_be_decoded_are_refused(tmp_path: Path) -> None:
    config = {**CONFIG, "quantization_config": {"quant_method": "hqq"}}
    with pytest.raises(CheckpointError, match="holds weights quantized by HQQ"):
        opened(tmp_path, model_tensors(1), config)


def test_a_tied_head_is_left_out(tmp_path: Path) -> None:
    tensors = model_tensors(1)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    plan = plan_pruning(HALF, opened(tmp_path, tensors, {**CONFIG, "tie_word_embeddings": True}))
    assert {tensor.name for tensor in plan.planned} == {*LAYERS, *OTHERS} - {"lm_head.weight"}
