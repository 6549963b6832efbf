"""What depth and width cost: the same merge of a model, of one four times as deep, and of one four times as wide."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import final

from checkpoints import Shape, checkpoints
from comparison import Bench
from measure import Measurement
from recipes import Recipe

_TIMES = 4


@final
@dataclass(frozen=True)
class Growth:
    """One shape, and what merging two fine-tunes of it took."""

    name: str
    parameters: int
    ours: Measurement


def growth(recipe: Recipe, shape: Shape, work: Path, runs: int) -> list[Growth]:
    """The smallest first. The checkpoints are made for this alone, and removed."""
    folder = work / "growth"
    shapes = {
        "as it is": shape,
        f"{_TIMES}x deeper": shape.deeper(_TIMES),
        f"{_TIMES}x wider": shape.wider(_TIMES),
    }
    found: list[Growth] = []
    for name, grown in shapes.items():
        shutil.rmtree(folder, ignore_errors=True)
        bench = Bench(checkpoints(folder, grown), None, folder / "runs")
        found.append(Growth(name, grown.parameters, bench.alone(recipe, runs)))
    shutil.rmtree(folder)
    return found
