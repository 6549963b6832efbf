"""A method of another package: its step says which one, and what needs it says so where it is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.builders import make_checkpoint, random_tensors

MODULE = """
from dataclasses import dataclass
from typing import ClassVar

from lineal.methods.merge.linear import Linear


@dataclass(frozen=True, kw_only=True)
class Halves(Linear):
    name: ClassVar = "halves"
"""

SHAPES = {"model.embed_tokens.weight": (12, 8), "model.norm.weight": (8,)}

RECIPE = """
family: pantry
models:
  mixed:
    merge:
      merge_method: halves
      models:
      - model: ./a
        parameters: {weights: [{filter: norm, value: 0.25}, {value: 1.0}]}
      - model: ./b
        parameters: {weights: 1.0}
"""


def install(site: Path, version: str = "0.3.1", module: str = MODULE) -> Path:
    """A distribution as an installer leaves it."""
    about = site / f"lineal_pantry-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lineal-pantry\nVersion: {version}\n")
    (about / "entry_points.txt").write_text("[lineal.methods]\nhalves = lineal_pantry:Halves\n")
    (site / "lineal_pantry.py").write_text(module)
    return site


def lineal(folder: Path, site: Path | None, *words: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([*([str(site)] if site else []), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "lineal", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "LINEAL_REGISTRY": str(folder / "registry.db")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def kitchen(tmp_path: Path) -> Path:
    for seed, name in enumerate("ab"):
        make_checkpoint(tmp_path / name, random_tensors(seed, SHAPES, np.float32))
    install(tmp_path / "site")
    return tmp_path


def test_a_step_names_the_package_of_its_method_and_so_does_what_needs_it(kitchen: Path) -> None:
    site = kitchen / "site"
    made = lineal(kitchen, site, "merge", "./a", "./b", "--method", "halves", "--out", "./mixed")
    assert made.returncode == 0, made.stderr
    environment = json.loads((kitchen / "mixed" / "lineal.json").read_text())["environment"]
    assert (environment["method_package"], environment["lineal-pantry"]) == ("lineal-pantry", "0.3.1")
    assert "2 tensors recomputed" in lineal(kitchen, site, "verify", "mixed").stdout

    alone = lineal(kitchen, None, "verify", "mixed")
    assert alone.returncode == 0
    assert "from the package lineal-pantry 0.3.1, which is not installed" in alone.stdout
    assert (
        "method halves (version 1), from the package lineal-pantry 0.3.1"
        in lineal(kitchen, None, "show", "mixed").stdout
    )

    empty = install(kitchen / "later", "0.4", MODULE.replace('"halves"', '"thirds"'))
    other = lineal(kitchen, empty, "verify", "mixed")
    assert "from the package lineal-pantry 0.3.1, of which 0.4 is installed: unknown merge method" in other.stdout


def test_a_recipe_of_a_foreign_method_names_its_package_too(kitchen: Path) -> None:
    (kitchen / "family.yaml").write_text(RECIPE)
    made = lineal(kitchen, kitchen / "site", "run", "family.yaml")
    assert made.returncode == 0, made.stderr
    shown = json.loads(lineal(kitchen, None, "show", "mixed", "--json").stdout)
    assert shown["steps"][0]["environment"]["method_package"] == "lineal-pantry"
    alone = lineal(kitchen, None, "verify", "mixed")
    assert "could not be recomputed: its method is from the package lineal-pantry 0.3.1, which is not" in alone.stdout


def test_a_package_whose_method_cannot_be_loaded_is_named_in_one_line(kitchen: Path) -> None:
    broken = install(kitchen / "broken", module="import nowhere_to_be_found\n")
    told = lineal(kitchen, broken, "methods")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == (
        "lineal: the package lineal-pantry registers the method halves, which cannot be loaded:"
        " No module named 'nowhere_to_be_found'\n"
    )
