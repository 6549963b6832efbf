"""A session of its own for every test, and small models to work with."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.derivation.step import Kind
from lineal.family.build.one_off import derive, family_of_one
from lineal.family.file.recipe import Reference
from lineal.family.session import LocalModel, Session
from lineal.lineage.registry import Registry
from lineal.methods.method import Method
from tests.builders import make_checkpoint, make_tokenizer, random_tensors

SHAPES = {"model.embed_tokens.weight": (12, 8), "model.layers.0.mlp.up_proj.weight": (16, 8), "model.norm.weight": (8,)}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Registry.open(tmp_path / ".lineal" / "registry.db") as registry:
        yield Session(registry, threads=2)


@pytest.fixture
def parents(tmp_path: Path) -> Path:
    """Three models of one shape, in folders a, b and c."""
    for seed, name in enumerate("abc"):
        folder = make_checkpoint(tmp_path / name, random_tensors(seed, SHAPES, np.float32))
        make_tokenizer(folder, {"x": 0, "y": 1})
    return tmp_path


def derive_one(
    session: Session, kind: Kind, method: Method, inputs: Sequence[Reference], out: Path, **options: Any
) -> LocalModel:
    """One model as a verb of the command line makes it."""
    return derive(session, family_of_one(kind, method, inputs, out, **options), out)


def write_family(folder: Path, text: str) -> Path:
    path = folder / "family.yaml"
    path.write_text(text, encoding="utf-8")
    return path


MERGES = """
family: small
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  c: {original: {path: ./c}}
  between: {merge: {parents: [a, b], method: slerp, t: 0.3}}
  sum: {merge: {parents: [b, c], base: a, method: task_arithmetic, weights: [0.5, 0.25]}}
  last: {merge: {parents: [between, sum], method: linear, weights: [3, 1]}}
"""
