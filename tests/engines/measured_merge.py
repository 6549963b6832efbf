"""A merge in a process of its own, which prints its memory: python -m tests.engines.measured_merge FOLDER"""

import json
import resource
import sys
from pathlib import Path

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import Planned, lay_out
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import full_model
from lineal.engines.stream.engine import stream
from lineal.methods.merge.ties import Ties
from tests.builders import CONFIG, write_json


def zeros(folder: Path, elements: int) -> Path:
    """Two float32 tensors of zeros, as a sparse file."""
    layout = lay_out([Planned("a", "F32", (elements,)), Planned("b", "F32", (elements,))])
    folder.mkdir()
    write_json(folder / "config.json", CONFIG)
    for file, header in layout.headers.items():
        (folder / file).write_bytes(header)
        with (folder / file).open("r+b") as opened:
            opened.truncate(layout.file_sizes[file])
    return folder


def merge(folder: Path, elements: int) -> None:
    folder.mkdir()
    base, *models = (full_model(n, open_checkpoint(zeros(folder / n, elements))) for n in ("base", "one", "two"))
    plan = plan_merge(Ties(), models, base)
    with CheckpointWriter(folder / "child", lay_out(plan.planned), "key") as writer:
        stream(plan.jobs, writer, threads=2)


def peak_bytes() -> int:
    """This program's own peak: Linux's ru_maxrss begins with that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.open() if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    where = Path(sys.argv[1])
    for turn in range(8):  # every buffer at its full size, every kernel compiled; on a busy machine threads take turns
        merge(where / f"small-{turn}", 1 << 18)
    before = peak_bytes()
    merge(where / "large", 1 << 24)
    print(json.dumps({"before": before, "after": peak_bytes()}))
