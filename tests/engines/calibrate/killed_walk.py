"""A walk that is killed: in forked children that die at a chosen write, each of which is resumed.

python -m tests.engines.calibrate.killed_walk FOLDER KILLS SEED prints, as JSON, what each kill left and what came of
resuming.
"""

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lineal.methods.input_statistics import ColumnMagnitudes
from tests.engines.calibrate.walks import Watching, random_tokens, walk
from tests.engines.killed_merge import Executioner, content, in_child
from tests.engines.tiny_models import VOCABULARY

SAMPLES, CONTEXT = 3, 24


def move(block: Any) -> None:
    """Change what depends on everything before: columns by what reaches them."""
    found = {shared: ColumnMagnitudes(shared.columns) for shared in block.shared_inputs}
    block.gather({shared: [statistic] for shared, statistic in found.items()})
    for shared, statistic in found.items():
        factors = (1 + 0.1 * np.tanh(statistic.mean)).astype(np.float32)
        block.change({name: block.weight(name) * factors for name in shared.layers})


def walked(folder: Path, out: Path) -> list[int]:
    """The blocks that were walked."""
    blocks: list[int] = []

    def watch(block: Any) -> None:
        blocks.append(block.index)
        move(block)

    method = Watching(samples=SAMPLES, context=CONTEXT, watch=watch)
    walk(folder, out, method, random_tokens(SAMPLES, CONTEXT, VOCABULARY))
    return blocks


def watched_walk(folder: Path, out: Path, kill_at: int) -> int:
    executioner = Executioner(kill_at)
    walked(folder, out)
    return executioner.count


def main(folder: Path, kills: int, seed: int) -> None:
    torch.set_num_threads(1)  # threads do not live through a fork
    walked(folder / "model", folder / "whole")
    expected = content(folder / "whole" / "child")
    _, requests = in_child(lambda: watched_walk(folder / "model", folder / "counted", 0))
    outcomes: list[dict[str, Any]] = []
    for kill_at in sorted(random.Random(seed).sample(range(1, requests + 1), kills)):
        out = folder / "killed"
        ended, _ = in_child(lambda out=out, kill_at=kill_at: watched_walk(folder / "model", out, kill_at))
        _, blocks = in_child(lambda out=out: walked(folder / "model", out))
        equal = content(out / "child") == expected
        outcomes.append({"kill_at": kill_at, "signal": ended, "resumed": blocks, "equal": equal})
        shutil.rmtree(out)
    print(json.dumps({"requests": requests, "outcomes": outcomes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
