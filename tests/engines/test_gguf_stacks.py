"""Experts stand in one tensor of a GGUF, and are read out of it where they lie; norms that are raised come back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from lineal.checkpoint.headers.gguf_metadata import gguf_package
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.gguf.parent import gguf_tensors
from lineal.engines.inference.language_model import load_model
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import full_model
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.methods.merge.passthrough import Passthrough
from tests.engines.architectures import MODELS, make_architecture
from tests.engines.quantizations import plan, quantize, weights, write
from tests.engines.test_gguf_architectures import logits
from tests.ggufs import write_gguf
from tests.llamas import read_gguf

MIXTURES = ("mixtral", "qwen2_moe", "qwen3_moe")


@pytest.mark.parametrize("name", MODELS)
def test_full_weights_of_a_gguf_are_the_folder_that_it_was_made_of(tmp_path: Path, name: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    model = full_model("q", open_checkpoint(quantize(parent, tmp_path / "q")))
    write(plan_merge(Passthrough(), [model]), tmp_path / "back")
    expected, found = load_file(parent / "model.safetensors"), load_file(tmp_path / "back" / "model.safetensors")
    assert found.keys() == expected.keys()
    assert all(
        torch.equal(found[key], expected[key]) or (key.endswith("norm.weight") and "gemma" in name) for key in found
    )
    assert torch.equal(logits(tmp_path / "back"), logits(parent))


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("scheme", ["f16", "q8_0"])
def test_windows_and_threads_do_not_change_a_byte(
    tmp_path: Path, name: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = make_architecture(tmp_path / "m", name)
    expected = quantize(parent, tmp_path / "q", scheme, threads=1).read_bytes()
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", 64)
    assert quantize(parent, tmp_path / "other", scheme, threads=3).read_bytes() == expected


@pytest.mark.parametrize("name", MIXTURES)
def test_a_stack_is_its_experts_one_after_the_other(tmp_path: Path, name: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    weights = load_file(parent / "model.safetensors")
    file = quantize(parent, tmp_path / "q")
    stored, _ = read_gguf(file)
    place = "block_sparse_moe" if name == "mixtral" else "mlp"
    down = "w2" if name == "mixtral" else "down_proj"
    experts = [weights[f"model.layers.1.{place}.experts.{i}.{down}.weight"].numpy() for i in range(6)]
    kind, raw = stored["blk.1.ffn_down_exps.weight"]
    assert kind == "F32"
    assert np.array_equal(raw.view(np.float32), np.stack(experts).reshape(-1))
    spec = gguf_tensors(open_checkpoint(file))[f"model.layers.1.{place}.experts.4.{down}.weight"].spec
    assert file.read_bytes()[spec.offset : spec.offset + spec.byte_length] == experts[4].tobytes()


@pytest.mark.parametrize("name", MIXTURES)
def test_a_folder_whose_experts_are_fused_makes_the_same_file(tmp_path: Path, name: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    expected = quantize(parent, tmp_path / "q", "q8_0").read_bytes()
    model = AutoModelForCausalLM.from_pretrained(str(parent), dtype=torch.float32)
    model.save_pretrained(parent, save_original_format=False)
    assert any(key.endswith("experts.gate_up_proj") for key in open_checkpoint(parent))
    assert quantize(parent, tmp_path / "fused", "q8_0").read_bytes() == expected


@pytest.mark.parametrize("name", ["mixtral", "gemma3"])
def test_a_recomputation_has_the_hashes_of_the_file(tmp_path: Path, name: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    file, recomputed, planned = quantize(parent, tmp_path / "q", "q8_0"), Recomputation(), plan(parent, "q8_0")
    stream(planned.jobs, recomputed)
    checkpoint = open_checkpoint(file)
    assert recomputed.leaves.keys() == checkpoint.keys()
    assert planned.child.package() == gguf_package(checkpoint.metadata)


def test_a_gate_of_one_row_may_be_a_vector(tmp_path: Path) -> None:
    file = quantize(make_architecture(tmp_path / "m", "qwen2_moe"), tmp_path / "q")
    reader, gate = GGUFReader(file), "ffn_gate_inp_shexp.weight"
    tensors = {t.name: (t.data.reshape(-1) if t.name.endswith(gate) else t.data, "F32") for t in reader.tensors}
    fields = [field for field in reader.fields.values() if not field.name.startswith("GGUF.")]
    metadata: Any = {field.name: (field.types[0], field.contents(), *field.types[1:2]) for field in fields}
    other = open_checkpoint(write_gguf(tmp_path / "other.gguf", tensors, metadata))
    assert other[f"blk.0.{gate}"].shape == (64,)
    expected, found = weights(file), weights(other.path)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(values, expected[key]) for key, values in found.items())


def test_bfloat16_norms_come_back_to_the_bit(tmp_path: Path) -> None:
    parent = make_architecture(tmp_path / "m", "gemma3", dtype=torch.bfloat16)
    found = dict(load_model(quantize(parent, tmp_path / "q", "bf16")).named_parameters())
    for key, values in load_file(parent / "model.safetensors").items():
        assert torch.equal(found[key], values.float()), key
