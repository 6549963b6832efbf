"""Prunings for tests: a parent written to disk by independent code, the child read back by it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import full_model
from lineal.engines.prune.plan import plan_pruning
from lineal.methods.streaming import StreamingMethod
from tests.builders import Array, make_checkpoint, random_tensors, read_folder
from tests.engines.merges import write

LAYERS: Mapping[str, Sequence[int]] = {
    "model.layers.0.self_attn.q_proj.weight": (37, 61),
    "model.layers.0.mlp.up_proj.weight": (3, 4096),
    "model.layers.0.mlp.down_proj.weight": (2, 4097),
    "model.layers.11.self_attn.k_proj.weight": (1, 1),
    "model.layers.11.mlp.gate_proj.weight": (0, 3),
}
OTHERS: Mapping[str, Sequence[int]] = {
    "model.embed_tokens.weight": (11, 8),
    "model.layers.0.input_layernorm.weight": (8,),
    "model.layers.0.self_attn.q_proj.bias": (37,),
    "model.norm.weight": (8,),
    "lm_head.weight": (11, 8),
}


def model_tensors(seed: int, dtype: Any = np.float32) -> dict[str, Array]:
    return random_tensors(seed, {**LAYERS, **OTHERS}, dtype)


def prune(
    folder: Path, method: StreamingMethod, tensors: Mapping[str, Array], *, shards: int = 1, **options: Any
) -> dict[str, Array]:
    """The pruned model's tensors, by way of the disk."""
    model = full_model("parent", open_checkpoint(make_checkpoint(folder / "parent", tensors, shards=shards)))
    write(plan_pruning(method, model), folder / "child", **options)
    return read_folder(folder / "child")
