"""A vector that is folded into what stands before some layers changes nothing of what the block computes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from lineal.errors import MethodError
from tests.engines.architectures import make_architecture
from tests.engines.calibrate.walks import Watching, random_tokens, walk
from tests.engines.tiny_models import VOCABULARY

FOLDABLE: dict[str, Sequence[str]] = {
    "mistral": ("q_proj", "gate_proj", "down_proj"),
    "qwen2": ("q_proj", "gate_proj", "down_proj"),
    "qwen3": ("q_proj", "gate_proj", "down_proj"),
    "olmo2": ("down_proj",),  # norms stand behind its layers
    "phi3": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "gemma2": ("q_proj", "gate_proj", "down_proj"),
    "gemma3": ("q_proj", "gate_proj", "down_proj"),
    "smollm3": ("q_proj", "gate_proj", "down_proj"),
    "mixtral": ("q_proj", *["w2"] * 6),
    "qwen2_moe": ("q_proj", *["down_proj"] * 7),
    "qwen3_moe": ("q_proj", *["down_proj"] * 6),
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
            divisors = random.uniform(0.5, 2, shared.columns).astype(np.float32)
            block.fold(shared, divisors)
            assert np.array_equal(block.weight(shared.layers[0]), before * divisors)

    child = walk(folder, tmp_path, Watching(samples=2, context=40, watch=fold), random_tokens(2, 40, VOCABULARY))
    assert {tuple(sorted(names)) for names in found} == {tuple(sorted(FOLDABLE[name]))}
    ours, theirs = logits(child), logits(folder)
    assert not torch.equal(ours, theirs)
    assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_heads_that_are_as_many_as_keys_take_the_scales_of_what_they_make(tmp_path: Path) -> None:
    folder = make_architecture(tmp_path / "model", "qwen2", num_key_value_heads=4)  # with biases of values
    found: list[str] = []

    def fold(block: Any) -> None:
        (shared,) = (one for one in block.shared_inputs if one.layers[0].endswith("o_proj.weight"))
        found.append(shared.layers[0])
        block.fold(shared, np.linspace(0.5, 2, shared.columns, dtype=np.float32))

    child = walk(folder, tmp_path, Watching(samples=2, context=40, watch=fold), random_tokens(2, 40, VOCABULARY))
    assert len(found) == 2
    assert torch.allclose(logits(child), logits(folder), rtol=1e-3, atol=1e-3)


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
