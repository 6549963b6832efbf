"""What small soups are made of."""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.engines.tiny_models import make_documents, make_model

SOUP = """
family: kitchen
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  c: {original: {path: ./c}}
  soup: {merge: {parents: [a, b, c], method: greedy_soup, data: val.txt}}
"""


def fill_pantry(folder: Path) -> Path:
    """Three models near a common one, b nearest and c far, and two texts."""
    origin = load_file(make_model(folder / "origin") / "model.safetensors")
    for seed, (name, noise) in enumerate({"a": 0.02, "b": 0.01, "c": 0.2}.items()):
        generator = np.random.default_rng(seed)
        shutil.copytree(folder / "origin", folder / name)
        moved = {key: x + noise * generator.standard_normal(x.shape).astype(np.float32) for key, x in origin.items()}
        save_file(moved, folder / name / "model.safetensors", {"format": "pt"})
    (folder / "val.txt").write_text("\n".join(make_documents(5, 6)), encoding="utf-8")
    (folder / "other.txt").write_text("\n".join(make_documents(9, 3)), encoding="utf-8")
    return folder
