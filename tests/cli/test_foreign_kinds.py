"""A package's methods of every kind: listed, planned, run, recorded, verified, and named where it is missing."""

import ast
import json
import shutil
import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from safetensors.numpy import load_file

from lineal.methods import catalogue
from tests.cli.conftest import Command
from tests.engines.tiny_models import make_model, write_data

PANTRY = Path(__file__).with_name("pantry.py")
CLASSES = [
    node.name
    for node in ast.parse(PANTRY.read_text()).body
    if isinstance(node, ast.ClassDef) and node.name not in ("Constant", "SquaredError")
]

FAMILY = """
family: pantry
models:
  first: {original: {path: ./first}}
  second: {original: {path: ./second}}
  merged: {merge: {method: largest, parents: [first, second]}}
  pruned: {prune: {method: coarse, parent: first, sparsity: 0.2}}
  packed: {quantize: {method: wide_rows, parent: first}}
  normed: {finetune: {method: norms, parent: first, data: text.jsonl, SHORT}}
  adapted: {finetune: {method: constant_lora, parent: first, rank: 2, data: text.jsonl, SHORT}}
  taught: {distill: {method: regression, student: first, teachers: [second], data: text.jsonl, SHORT}}
  begun: {original: {train: {method: smallest, data: text.jsonl, SHORT}}}
"""
MADE = {
    "merged": "largest",
    "pruned": "coarse",
    "packed": "wide_rows",
    "normed": "norms",
    "adapted": "constant_lora",
    "taught": "regression",
    "begun": "smallest",
}
EXACT = ("merged", "pruned", "packed")


def _forget() -> None:
    for found in (catalogue._registered, catalogue._known, catalogue.methods):
        found.cache_clear()
    invalidate_caches()


@pytest.fixture
def pantry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package as an installer leaves it."""
    site = tmp_path / "site"
    about = site / "lineal_pantry-0.3.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lineal-pantry\nVersion: 0.3.1\n")
    points = "".join(f"{name} = lineal_pantry:{name}\n" for name in CLASSES)
    (about / "entry_points.txt").write_text(f"[lineal.methods]\n{points}")
    shutil.copy(PANTRY, site / "lineal_pantry.py")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "lineal_pantry", raising=False)
    _forget()
    yield site
    _forget()


@pytest.fixture
def made(lineal: Command, pantry: Path) -> Command:
    for seed, name in enumerate(("first", "second")):
        make_model(Path(name), seed, intermediate_size=64)
    write_data(Path("text.jsonl"))
    short = "tokens: 256, sequence_length: 16, batch_size: 4"
    Path("family.yaml").write_text(FAMILY.replace("SHORT", short))
    planned = lineal("run", "family.yaml", "--dry-run")
    assert planned.code == 0, planned.err
    assert all(f"{name} " in planned.out and method in planned.out for name, method in MADE.items())
    ran = lineal("run", "family.yaml")
    assert ran.code == 0, ran.err
    return lineal


def test_methods_of_every_kind_are_listed_with_their_options_and_package(lineal: Command, pantry: Path) -> None:
    listed = lineal("methods").out
    assert all(f" {method} " in listed for method in MADE.values())
    told = lineal("methods", "coarse").out
    assert "--sparsity" in told
    assert "from the package lineal-pantry 0.3.1" in told
    described = json.loads(lineal("methods", "norms", "--json").out)
    assert described[0]["package"] == {"name": "lineal-pantry", "version": "0.3.1"}
    assert json.loads(lineal("methods", "ties", "--json").out)[0]["package"] is None


def test_methods_of_every_kind_are_run_recorded_verified_and_named(made: Command, pantry: Path) -> None:
    for name, method in MADE.items():
        record = json.loads((Path("models") / name / "lineal.json").read_text())
        assert record["step"]["method"] == method
        assert record["environment"]["method_package"] == "lineal-pantry"
        verdict = made("verify", name)
        assert verdict.code == 0, verdict.err
        assert ("recomputed" if name in EXACT else f"{method} is statistical, not exact") in verdict.out
    assert made("run", "family.yaml").err.count("up to date") == len(MADE)
    _what_was_made_is_what_was_meant()
    shutil.rmtree(pantry)
    _forget()
    for name in MADE:
        alone = made("verify", name)
        assert alone.code == 0
        assert "from the package lineal-pantry 0.3.1, which is not installed" in alone.out


def _what_was_made_is_what_was_meant() -> None:
    first, second = (load_file(Path(name) / "model.safetensors") for name in ("first", "second"))

    def of(name: str) -> dict[str, np.ndarray]:
        return load_file(next((Path("models") / name).glob("*.safetensors")))

    merged, pruned, normed, taught = (of(name) for name in ("merged", "pruned", "normed", "taught"))
    for name, values in first.items():
        np.testing.assert_array_equal(merged[name], np.maximum(values, second[name]))
        assert ("norm" in name) == bool((normed[name] != values).any())
        assert (taught[name] != values).any()
    matrix = "model.layers.0.mlp.up_proj.weight"
    np.testing.assert_array_equal(pruned[matrix], first[matrix] * (abs(first[matrix]) >= np.float32(0.2)))
    packed = GGUFReader(next(Path("models/packed").glob("*.gguf")))
    stored = {tensor.name: tensor.tensor_type.name for tensor in packed.tensors}
    assert stored["blk.0.ffn_up.weight"] == "F16"  # 32 columns
    first_row = next(values for key, values in of("adapted").items() if "lora_A" in key)[0]
    assert abs(first_row - 0.01).max() < 0.01  # drawn it would reach 0.17
    assert of("begun")["model.embed_tokens.weight"].shape == (280, 16)


@pytest.mark.parametrize(
    ("written", "instead", "words", "told"),
    [
        (
            'kind: ClassVar = "merge"',
            'kind: ClassVar = "quantize"',
            ("methods",),
            "lineal_pantry:Largest: a quantize method has an option scheme, which its steps are known by",
        ),
        (
            'name: ClassVar = "norms"',
            'name: ClassVar = "norms"\n    kind: ClassVar = "merge"\n    uses_data: ClassVar = False',
            ("merge", "./a", "./b", "--method", "norms", "--out", "./out"),
            "norms: a merge method inherits one of GreedySoup, AdapterMerge, MergeRecipe, StreamingMethod, and Norms",
        ),
        (
            'name: ClassVar = "largest"',
            'name: ClassVar = "linear"',
            ("methods",),
            "two methods are registered as merge 'linear'",
        ),
    ],
)
def test_a_method_that_is_none_of_its_kind_says_so(
    lineal: Command, pantry: Path, written: str, instead: str, words: tuple[str, ...], told: str
) -> None:
    module = (pantry / "lineal_pantry.py").read_text()
    (pantry / "lineal_pantry.py").write_text(module.replace(written, instead))
    answer = lineal(*words)
    assert answer.code == 2
    assert told in answer.err
    assert answer.err.count("\n") == 1
