"""docs/python.md: its examples run, one after the other, as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest

import lineal
from tests.llamas import make_llama

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
SMALL = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAL_REGISTRY", "registry.db")
    for seed, name in enumerate(("base", "code", "prose")):
        make_llama(tmp_path / "models" / name, seed=seed, dtype=np.float32, **SMALL)
    namespace: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(example, "python.md", "exec"), namespace)
    said = capsys.readouterr().out
    assert "both was merged from code and prose with base as the base (ties density 0.2)." in said
    assert "models/none: no such folder or GGUF" in said
    assert "True 21 ()" in said
    assert "{'code': 'full', 'prose': 'full', 'mean': 'full', 'q8': 'gguf'}" in said


def test_the_plugins_that_the_guide_shows_compute(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    for example in re.findall(r"```python\n(.*?)```", guide, re.DOTALL):
        exec(compile(example, "plugins.md", "exec"), {"__name__": "pantry"})
    assert capsys.readouterr().out == "[0.25 0.25 0.25]\nFalse\n"


def test_every_function_is_told_of() -> None:
    told = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    functions = {name for name in lineal.__all__ if name.islower() and callable(getattr(lineal, name))}
    assert told == functions - {"__version__", "derivation_from_json"}
