"""A walk's peak memory is that of one block: it does not grow with how many there are."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BLOCK_BYTES = 4 * (4 * 384 * 384 + 3 * 384 * 1024)


def test_forty_blocks_take_no_more_memory_than_ten(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.engines.calibrate.measured_walk", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["many"] - found["few"][-1] < 2 * BLOCK_BYTES  # thirty more, and less than two of them
