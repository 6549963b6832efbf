"""kill -9 at any moment: nothing half-written is ever in place, and the next run ends with the same bytes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import pytest

from tests.builders import make_checkpoint
from tests.engines.merges import SHAPES, similar_models

ROOT = Path(__file__).parents[2]


def run_killed(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    base, models = similar_models(2, ml_dtypes.bfloat16)
    for name, tensors in zip(("base", "model0", "model1"), (base, *models), strict=True):
        make_checkpoint(folder / name, tensors)
    command = [sys.executable, "-m", "tests.engines.killed_merge", str(folder), str(kills), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(found: dict[str, Any]) -> None:
    assert len(found["files"]) == 4  # three shards and their index
    for outcome in found["outcomes"]:
        assert outcome["signal"] == 9
        assert outcome["whole_or_nothing"], outcome
        assert outcome["equal"], outcome
        assert outcome["left"] == [], outcome


def test_ten_kills_and_resumed_runs_give_the_same_bytes(tmp_path: Path) -> None:
    found = run_killed(tmp_path, 10, seed=1)
    check(found)
    adopted = {len(outcome["adopted"]) for outcome in found["outcomes"]}
    assert adopted - {0, len(SHAPES)}  # some were killed half-way, and continued there


@pytest.mark.faults
def test_a_kill_at_every_single_request_to_the_disk_gives_the_same_bytes(tmp_path: Path) -> None:
    found = run_killed(tmp_path, 0, seed=0)
    assert len(found["outcomes"]) == found["requests"] > 30
    check(found)
