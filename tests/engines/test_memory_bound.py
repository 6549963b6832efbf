"""Peak memory depends neither on how many tensors there are nor on how large they are."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TENSOR_BYTES = 64 << 20


def test_a_merge_of_large_tensors_takes_no_more_memory_than_one_of_small_ones(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.engines.measured_merge", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    growth = found["after"] - found["before"]
    assert growth < TENSOR_BYTES / 4  # a copy of one of the six tensors would be four times that
    assert found["after"] < 400 << 20
