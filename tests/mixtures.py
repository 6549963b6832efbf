"""Small mixtures of experts, each in either of two layouts: experts apart, as they are published, or fused."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.builders import Array, make_checkpoint, make_tokenizer, write_safetensors

EXPERTS, WIDTH, HEIGHT = 4, 16, 24
CONFIG = {"model_type": "qwen3_moe", "num_experts": EXPERTS, "hidden_size": WIDTH, "tie_word_embeddings": False}
PARTS = {"gate_proj": (HEIGHT, WIDTH), "up_proj": (HEIGHT, WIDTH), "down_proj": (WIDTH, HEIGHT)}


def experts(block: int, part: str) -> list[str]:
    return [f"model.layers.{block}.mlp.experts.{e}.{part}.weight" for e in range(EXPERTS)]


def mixture(seed: int, blocks: int = 2) -> dict[str, Array]:
    """The tensors as they are published."""
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> Array:
        return (random.standard_normal(shape) / 4).astype(np.float32)

    found = {"model.embed_tokens.weight": drawn(32, WIDTH)}
    for block in range(blocks):
        found[f"model.layers.{block}.mlp.gate.weight"] = drawn(EXPERTS, WIDTH)
        found |= {name: drawn(*shape) for part, shape in PARTS.items() for name in experts(block, part)}
    return {**found, "model.norm.weight": drawn(WIDTH)}


def tuned(tensors: dict[str, Array], seed: int, *parts: str, share: float = 0.05) -> dict[str, Array]:
    """A fine-tune of the tensors with one of these words in their names."""
    random = np.random.default_rng(seed)

    def moved(tensor: Array) -> Array:
        return (tensor + share * tensor.std() * random.standard_normal(tensor.shape)).astype(tensor.dtype)

    return {name: moved(x) if any(part in name for part in parts) else x for name, x in tensors.items()}


def fused(tensors: dict[str, Array]) -> dict[str, Array]:
    """As transformers 5 holds them: gates over ups in one tensor, downs in another."""
    blocks = sorted({int(name.split(".")[2]) for name in tensors if ".experts." in name})
    found = {name: x for name, x in tensors.items() if ".experts." not in name}
    for block in blocks:
        gate, up, down = (np.stack([tensors[name] for name in experts(block, part)]) for part in PARTS)
        found[f"model.layers.{block}.mlp.experts.gate_up_proj"] = np.concatenate((gate, up), 1)
        found[f"model.layers.{block}.mlp.experts.down_proj"] = down
    return found


def write_mixture(folder: Path, tensors: dict[str, Array], **changes: Any) -> Path:
    """A folder of these tensors, stored as they are given."""
    _ = make_checkpoint(folder, tensors, {**CONFIG, **changes})
    make_tokenizer(folder, {"x": 0, "y": 1})
    write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})
    return folder
