"""Experts that are held in one tensor: each sees the tokens that the router gives it, and none may have seen none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GptOssConfig, GptOssForCausalLM

from lineal.engines.calibrate.experts import experts_of
from lineal.errors import CheckpointError, MethodError
from tests.engines.architectures import make_architecture
from tests.engines.calibrate.test_block_walk import Inputs
from tests.engines.calibrate.walks import Watching, random_tokens, walk
from tests.engines.tiny_models import VOCABULARY

MIXTURES = ("mixtral", "qwen2_moe", "qwen3_moe")


def gathered(folder: Path, out: Path, samples: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def watch(block: Any) -> None:
        found = {shared: Inputs() for shared in block.shared_inputs if shared.expert is not None}
        block.gather({shared: [inputs] for shared, inputs in found.items()})
        for shared, inputs in found.items():
            seen.update(dict.fromkeys(shared.layers, inputs.all))

    walk(folder, out, Watching(samples=len(samples), context=samples.shape[1], watch=watch), samples)
    return seen


@pytest.mark.parametrize("name", MIXTURES)
def test_each_expert_sees_the_tokens_that_the_router_gives_it(tmp_path: Path, name: str) -> None:
    folder = make_architecture(tmp_path / "model", name)
    samples = random_tokens(4, 60, VOCABULARY)
    seen = gathered(folder, tmp_path, samples)
    block = "block_sparse_moe" if name == "mixtral" else "mlp"
    gate, up, down = ("w1", "w3", "w2") if name == "mixtral" else ("gate_proj", "up_proj", "down_proj")
    for (layer, expert), (inputs, gated) in of_transformers(folder, samples).items():
        place = f"model.layers.{layer}.{block}.experts.{expert}"
        for part, expected in ((gate, inputs), (up, inputs), (down, gated)):
            found = seen[f"{place}.{part}.weight"]
            assert np.allclose(in_order(found), in_order(expected), rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def in_order(rows: Any) -> Any:
    """Rows by their first number: the order of tokens is each implementation's own."""
    return rows[np.argsort(rows[:, 0], kind="stable")]


def of_transformers(folder: Path, samples: Any) -> dict[tuple[int, int], tuple[Any, Any]]:
    """What experts are given, and what they make of it before they project it back, by layer and expert."""
    model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    seen: dict[tuple[int, int], list[Any]] = {}

    def hook(layer: int) -> Any:
        def watched(module: Any, given: Any) -> None:
            states, chosen, _ = given
            for expert in range(module.num_experts):
                inputs = states[(chosen == expert).any(-1)]
                gates, ups = (inputs @ module.gate_up_proj[expert].T).chunk(2, -1)
                seen.setdefault((layer, expert), []).append((inputs, torch.nn.functional.silu(gates) * ups))

        return watched

    for layer, module in enumerate(model.model.layers):
        module.mlp.experts.register_forward_pre_hook(hook(layer))
    with torch.inference_mode():
        for sample in samples:
            model(torch.from_numpy(sample).long()[None])
    return {key: tuple(torch.cat(one).numpy() for one in zip(*found, strict=True)) for key, found in seen.items()}


def test_an_expert_that_has_seen_no_token_is_named(tmp_path: Path) -> None:
    folder = make_architecture(tmp_path / "model", "qwen3_moe", num_experts=32)
    with pytest.raises(MethodError, match=r"expert \d+ of block 0 of parent has seen no token .* more samples"):
        gathered(folder, tmp_path, random_tokens(1, 3, VOCABULARY))


def test_experts_that_are_held_in_another_way_are_refused_by_name() -> None:
    fields = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_local_experts": 2}
    config = GptOssConfig(**fields, num_attention_heads=2, num_key_value_heads=1, head_dim=8, vocab_size=32)
    with pytest.raises(CheckpointError, match="the experts of GptOssExperts are held"):
        experts_of(GptOssForCausalLM(config), "gpt")
