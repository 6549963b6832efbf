"""Children that version 1 of ties and of magnitude pruning made, kept as an earlier lineal wrote them."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.builders import Array, make_checkpoint, make_tokenizer
from tests.family.conftest import write_family

KEPT = Path(__file__).parents[1] / "vectors" / "version_1"
SHAPES = {"model.layers.0.mlp.up_proj.weight": (4, 8), "model.layers.1.mlp.up_proj.weight": (4, 8)}

FAMILY = """
family: older
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  c: {original: {path: ./c}}
  trimmed: {merge: {parents: [b, c], base: a, method: ties, density: 0.2}}
  sliced:
    merge:
      merge_method: ties
      base_model: a
      slices:
        - sources:
            - {model: b, layer_range: [0, 2]}
            - {model: c, layer_range: [0, 2]}
            - {model: a, layer_range: [0, 2]}
      parameters: {weight: 1.0, density: 0.4}
  pruned: {prune: {parent: b, method: magnitude, sparsity: 0.29}}
"""
MADE = {"trimmed": "ties", "sliced": "ties", "pruned": "magnitude"}
"""The children, and the method whose version they were made under."""


def parents(folder: Path) -> Path:
    """Models of few different values, so that many tie, and the family file."""
    for step, name in enumerate("abc"):
        tensors = {tensor: values(step, number) for number, tensor in enumerate(SHAPES)}
        make_tokenizer(make_checkpoint(folder / name, tensors, config()), {"x": 0, "y": 1})
    return write_family(folder, FAMILY)


def values(step: int, number: int) -> Array:
    return (((np.arange(32) * (5 + 2 * step) + number) % 7 - 3) / 4).astype(np.float32).reshape(4, 8)


def config() -> Mapping[str, object]:
    return {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "tie_word_embeddings": False}


def children(folder: Path) -> None:
    """As an earlier lineal left them under `models`."""
    shutil.copytree(KEPT, folder / "models")
