"""What a walk shows a method is what transformers computes, and what the method changes is in the child."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM

from tests.engines.architectures import MODELS, make_architecture
from tests.engines.calibrate.walks import Watching, random_tokens, walk
from tests.engines.tiny_models import VOCABULARY


class Inputs:
    """Everything that a layer sees."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def add(self, inputs: Any) -> None:
        self.seen.append(inputs.copy())

    @property
    def all(self) -> Any:
        return np.concatenate(self.seen)


@pytest.mark.parametrize("name", MODELS)
def test_every_linear_layer_sees_what_it_sees_in_transformers(tmp_path: Path, name: str) -> None:
    folder = make_architecture(tmp_path / "model", name)
    samples = random_tokens(3, 40, VOCABULARY)
    seen: dict[str, Any] = {}

    def watch(block: Any) -> None:
        found = {shared: Inputs() for shared in block.shared_inputs}
        block.gather({shared: [inputs] for shared, inputs in found.items()})
        for shared, inputs in found.items():
            seen.update(dict.fromkeys(shared.layers, inputs.all))

    child = walk(folder, tmp_path, Watching(samples=3, context=40, watch=watch), samples)
    expected = of_transformers(folder, samples)
    assert seen.keys() >= expected.keys()
    for layer, inputs in expected.items():
        assert np.allclose(seen[layer], inputs, rtol=1e-4, atol=1e-4 * np.abs(inputs).max()), layer
    stored, made = (load_file(place / "model.safetensors") for place in (folder, child))
    assert stored.keys() == made.keys()
    assert all(torch.equal(stored[tensor], made[tensor]) for tensor in stored)


def of_transformers(folder: Path, samples: Any) -> dict[str, Any]:
    """The inputs of the linear layers inside the blocks."""
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    seen: dict[str, list[Any]] = {}

    def hook(name: str) -> Any:
        return lambda _, given: seen.setdefault(name, []).append(given[0].reshape(-1, given[0].shape[-1]))

    for path, module in model.named_modules():
        if isinstance(module, nn.Linear) and ".layers." in path and module.out_features > 1:
            module.register_forward_pre_hook(hook(f"{path}.weight"))
    with torch.inference_mode():
        for sample in samples:
            model(torch.from_numpy(sample).long()[None])
    return {name: torch.cat(found).numpy() for name, found in seen.items()}
