"""kill -9 at any moment of a walk: it goes on with the block that it was in, and ends with the same bytes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engines.tiny_models import make_model

ROOT = Path(__file__).parents[3]
BLOCKS = 5


def killed(folder: Path, kills: int, seed: int) -> list[dict[str, Any]]:
    make_model(folder / "model", num_hidden_layers=BLOCKS)
    command = [sys.executable, "-m", "tests.engines.calibrate.killed_walk", str(folder), str(kills), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)["outcomes"]
    for outcome in outcomes:
        assert outcome["signal"] == 9, outcome
        assert outcome["equal"], outcome
    return outcomes


def test_a_killed_walk_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    (outcome,) = killed(tmp_path, 1, seed=5)
    assert 0 < len(outcome["resumed"]) < BLOCKS


@pytest.mark.faults
def test_ten_killed_walks_end_with_the_same_bytes(tmp_path: Path) -> None:
    outcomes = killed(tmp_path, 10, seed=1)
    begun = {outcome["resumed"][0] for outcome in outcomes}
    assert len(begun) > 3
    assert all(outcome["resumed"][-1] == BLOCKS - 1 for outcome in outcomes)
