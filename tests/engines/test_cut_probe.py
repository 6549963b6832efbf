"""The probes of a cut: another model than was meant is found, whatever made it so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from lineal.engines.inference.language_model import ModelFolder, load_model
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.distill.cut_probe import check_cut, check_written
from lineal.engines.train.distill.distill import student_of
from lineal.engines.train.train import train
from lineal.errors import CheckpointError, MethodError
from lineal.methods.distill.distill import Distill
from tests.engines.tiny_models import POSITIONS, VOCABULARY, tokenizer, write_data
from tests.walk.tiny import SMALL, tiny_model

SHORT = {"sequence_length": POSITIONS, "batch_size": 4, "tokens": 64, "learning_rate": 1e-12}


def old_gemma3(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """As files on the Hub are that were written before transformers 4.53: kinds of attention by their place."""
    config = AutoConfig.for_model(
        "gemma3_text", **{**SMALL, "num_hidden_layers": 6, "vocab_size": VOCABULARY, "query_pre_attn_scalar": 8}
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        parameter.data.add_(0.2 * torch.randn(parameter.shape))
    model.to(dtype).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    for key in ("layer_types", "_sliding_window_pattern", "rope_parameters"):
        written.pop(key, None)
    written |= {"sliding_window_pattern": 3, "rope_theta": 1000000, "rope_local_base_freq": 10000}
    (folder / "config.json").write_text(json.dumps(written))
    return folder


def distilled(folder: Path, parent: Path) -> Path:
    out = folder / "out"
    out.mkdir()
    train(
        Distill(layers=(0, 2, 4, 5), **SHORT),
        data=[write_data(folder / "data.jsonl")],
        out=out,
        scratch=folder / "scratch",
        parent=parent,
        base=BaseName("parent"),
        teachers=[ModelFolder(parent, name="parent")],
    )
    return out


def logits_of(model: PreTrainedModel, skipped: tuple[int, ...] = ()) -> torch.Tensor:
    for block in skipped:
        model.model.layers[block].register_forward_hook(lambda _module, given, _output: given[0])
    with torch.no_grad():
        return model(torch.arange(3, 30)[None]).logits


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_student_of_a_model_whose_blocks_follow_their_place_is_on_disk_what_it_was(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    parent = old_gemma3(tmp_path / "parent", dtype)
    out = distilled(tmp_path, parent)
    whole = load_model(parent)
    assert load_model(out).config.layer_types == [whole.config.layer_types[block] for block in (0, 2, 4, 5)]
    expected = logits_of(whole, skipped=(1, 3))  # a rate of 1e-12 has changed nothing
    assert (logits_of(load_model(out)) - expected).abs().max() < 1e-5 * expected.abs().max()


def test_a_folder_that_makes_another_model_of_the_weights_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = old_gemma3(tmp_path / "parent")

    def moved(config: dict[str, Any]) -> bytes:
        return json.dumps({**config, "layer_types": config["layer_types"][::-1]}).encode()

    monkeypatch.setattr("lineal.engines.merge.child_package.config_content", moved)
    with pytest.raises(CheckpointError, match="out: its configuration makes another model of the weights than parent"):
        distilled(tmp_path, parent)


def test_a_tensor_that_is_not_what_was_trained_is_found(tmp_path: Path) -> None:
    student = tiny_model("llama")
    student.save_pretrained(tmp_path)
    check_written(student, tmp_path, "parent")
    student.model.norm.weight.data[3] += 1e-4
    with pytest.raises(CheckpointError, match=r"'model.norm.weight' is not what was trained of parent"):
        check_written(student, tmp_path, "parent")


def cut(parent: PreTrainedModel, blocks: str, kept: tuple[int, ...]) -> PreTrainedModel:
    """Whatever the configuration makes of fewer blocks by their place, with the kept blocks' weights."""
    count = parent.config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    fields = {**parent.config.to_dict(), count: len(kept), "layer_types": None}
    student = AutoModelForCausalLM.from_config(type(parent.config).from_dict(fields)).eval()
    outside = {name: tensor for name, tensor in parent.state_dict().items() if blocks not in name}
    student.load_state_dict(outside, strict=False)
    for block, source in zip(student.get_submodule(blocks), kept, strict=True):
        block.load_state_dict(parent.get_submodule(blocks)[source].state_dict())
    return student


def scaled_gpt2() -> PreTrainedModel:
    torch.manual_seed(0)
    config = GPT2Config(n_layer=3, n_embd=16, n_head=2, vocab_size=64, scale_attn_by_inverse_layer_idx=True)
    return GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize(
    ("make", "blocks", "message"),
    [
        (
            lambda: tiny_model("diffllama"),
            "model.layers",
            "block 2 would be another as block 1: self_attn.lambda_init",
        ),
        (scaled_gpt2, "transformer.h", "its block 2 would be another as block 1: attn.scaling is"),
        (lambda: tiny_model("gemma2"), "model.layers", "its block 2 would be another as block 1: self_attn"),
        (lambda: tiny_model("minicpm3"), "model.layers", "its block 0 would be another as block 0: residual_scale"),
    ],
    ids=["diffllama", "gpt2", "gemma2", "minicpm3"],
)
def test_a_block_that_becomes_another_by_its_place_is_found(
    make: Callable[[], PreTrainedModel], blocks: str, message: str
) -> None:
    parent = make()
    with pytest.raises(MethodError, match=message):
        check_cut(parent, cut(parent, blocks, (0, 2)), (0, 2), "parent")


def test_a_cut_that_computes_something_else_is_found() -> None:
    parent = tiny_model("llama")
    student = cut(parent, "model.layers", (0, 2))
    check_cut(parent, student, (0, 2), "parent")
    student.model.layers[1].mlp.down_proj.weight.data.mul_(1.01)
    with pytest.raises(MethodError, match="parent: its blocks 0, 2 on their own compute something else"):
        check_cut(parent, student, (0, 2), "parent")


def test_blocks_that_do_not_fit_a_configuration_of_fewer_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_model("qwen3_moe").save_pretrained(tmp_path)  # whose second block alone is dense

    def by_count(config: dict[str, Any], kept: tuple[int, ...], _name: str) -> dict[str, Any]:
        return {**config, "num_hidden_layers": len(kept)}

    monkeypatch.setattr("lineal.engines.train.distill.distill.shallower_config", by_count)
    with pytest.raises(MethodError, match="parent: its blocks 0, 2, 3 do not fit the configuration of fewer"):
        student_of(ModelFolder(tmp_path, name="parent"), (0, 2, 3))
