"""Scores of models in folders, all texts of a call together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineal.engines.inference import evaluate as module
from lineal.engines.inference.evaluate import Scores
from lineal.engines.inference.language_model import ModelFolder


def evaluate(
    folder: Path, texts: Mapping[str, Path], *, reference: Path | None = None, **how: Any
) -> dict[str, Scores]:
    compared = None if reference is None else ModelFolder(reference)
    return dict(module.evaluate(ModelFolder(folder), texts, reference=compared, **how))
