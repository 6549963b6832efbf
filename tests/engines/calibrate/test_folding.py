"""A vector that is folded into what stands before some layers changes nothing of what the block computes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from lineal.errors import MethodError
from lineal.methods.quantize.awq import Awq
from lineal.methods.quantize.smoothquant import SmoothQuant
from tests.engines.architectures import make_architecture
from tests.engines.calibrate.walks import Watching, random_tokens, walk
from tests.engines.tiny_models import VOCABULARY

FOLDABLE: dict[str, Sequence[str]] = {
    "mistral": ("q_proj", "o_proj", "gate_proj", "down_proj"),
    "qwen2": ("q_proj", "o_proj", "gate_proj", "down_proj"),
    "qwen3": ("q_proj", "o_proj", "gate_proj", "down_proj"),
    "olmo2": ("o_proj", "down_proj"),  # norms stand behind its layers
    "phi3": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "gemma2": ("q_proj", "o_proj", "gate_proj", "down_proj"),
    "gemma3": ("q_proj", "o_proj", "gate_proj", "down_proj"),
    "smollm3": ("q_proj", "o_proj", "gate_proj", "down_proj"),
    "mixtral": ("q_proj", "o_proj", *["w2"] * 6),
    "qwen2_moe": ("q_proj", "o_proj", *["down_proj"] * 7),
    "qwen3_moe": ("q_proj", "o_proj", *["down_proj"] * 6),
}
"""The first of the layers that share an input, of each input in a block that something can be folded before."""


@pytest.mark.parametrize("name", FOLDABLE)
def test_folding_changes_nothing_of_what_a_model_computes(tmp_path: Path, name: str) -> None:
    folder = make_architecture(tmp_path / "model", name)
    found: list[list[str]] = []
    random = np.random.default_rng(1)

    def fold(block: Any) -> None:
        foldable = [shared for shared in block.shared_inputs if shared.foldable]
        found.append([shared.layers[0].split(".")[-2] for shared in foldable])
        for shared in foldable:
            before = block.weight(shared.layers[0]).copy()
            divisors = shared.repeats.mean(random.uniform(0.5, 2, shared.columns).astype(np.float32))
            block.fold(shared, divisors)
            assert np.array_equal(block.weight(shared.layers[0]), before * divisors)

    child = walk(folder, tmp_path, Watching(samples=2, context=40, watch=fold), random_tokens(2, 40, VOCABULARY))
    assert {tuple(sorted(names)) for names in found} == {tuple(sorted(FOLDABLE[name]))}
    ours, theirs = logits(child), logits(folder)
    assert not torch.equal(ours, theirs)
    assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "heads"), [("qwen3", 8), ("qwen3", 2), ("qwen3", 1), ("qwen2", 2), ("phi3", 2)])
def test_values_take_the_scales_that_the_heads_which_see_them_share(tmp_path: Path, name: str, heads: int) -> None:
    """qwen2 has biases of values; heads of qwen3 are wider than the model; phi3 has all three in one matrix."""
    folder = make_architecture(tmp_path / "model", name, num_attention_heads=8, num_key_value_heads=heads)
    found: list[str] = []

    def fold(block: Any) -> None:
        (shared,) = (one for one in block.shared_inputs if one.layers[0].endswith("o_proj.weight"))
        found.append(shared.layers[0])
        width = shared.columns // 8
        of_values = np.linspace(0.5, 2, heads * width, dtype=np.float32).reshape(heads, 1, width)
        block.fold(shared, np.repeat(of_values, 8 // heads, axis=1).reshape(-1))

    child = walk(folder, tmp_path, Watching(samples=2, context=40, watch=fold), random_tokens(2, 40, VOCABULARY))
    assert len(found) == 2
    ours, theirs = logits(child), logits(folder)
    assert not torch.equal(ours, theirs)
    assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", [Awq(samples=2, context=40, group_size=32), SmoothQuant(samples=2, context=40)])
def test_what_a_method_folds_before_the_output_is_shared_by_heads(tmp_path: Path, method: Any) -> None:
    folder = make_architecture(tmp_path / "model", "qwen2", num_attention_heads=8, num_key_value_heads=2)
    before: dict[str, Any] = {}

    def work(block: Any) -> None:
        (shared,) = (one for one in block.shared_inputs if one.layers[0].endswith("o_proj.weight"))
        before[shared.layers[0]] = block.weight(shared.layers[0]).copy()
        block.is_packed = lambda name: name in shared.layers
        for _ in method.work_on(block):
            pass
        moved = (block.weight(shared.layers[0]) / before[shared.layers[0]])[0].reshape(2, 4, 8)
        assert len(set(moved[0, 0].tolist())) > 1
        assert np.allclose(moved, moved[:, :1], rtol=1e-5)

    child = walk(folder, tmp_path, Watching(samples=2, context=40, watch=work), random_tokens(2, 40, VOCABULARY))
    assert len(before) == 2
    assert torch.allclose(logits(child), logits(folder), rtol=1e-3, atol=1e-3)


def test_one_value_cannot_be_divided_by_two_numbers(tmp_path: Path) -> None:
    folder = make_architecture(tmp_path / "model", "qwen2")

    def fold(block: Any) -> None:
        (shared,) = (one for one in block.shared_inputs if one.layers[0].endswith("o_proj.weight"))
        block.fold(shared, np.linspace(0.5, 2, shared.columns, dtype=np.float32))

    with pytest.raises(MethodError, match=r"watching: columns of .*o_proj.* that share a value need one divisor"):
        walk(folder, tmp_path, Watching(samples=1, context=40, watch=fold), random_tokens(1, 40, VOCABULARY))


def test_what_cannot_be_folded_is_refused(tmp_path: Path) -> None:
    folder = make_architecture(tmp_path / "model", "olmo2")

    def fold(block: Any) -> None:
        block.fold(block.shared_inputs[0], np.ones(block.shared_inputs[0].columns, np.float32))

    with pytest.raises(MethodError, match=r"watching: nothing positive to fold before .*q_proj"):
        walk(folder, tmp_path, Watching(samples=1, context=40, watch=fold), random_tokens(1, 40, VOCABULARY))


def logits(folder: Path) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    with torch.inference_mode():
        return model(torch.arange(5, 60)[None]).logits
