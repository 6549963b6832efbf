"""A program that is killed: it merges in forked children that die at a chosen write, and resumes each of them.

python -m tests.engines.killed_merge FOLDER KILLS SEED prints, as JSON, what each kill left and what came of resuming.
"""

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import lay_out
from lineal.checkpoint.written.publish import partial_folder, publish
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import full_model
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.engine import stream
from lineal.methods.merge.ties import Ties

KEY = bytes(range(32))


class Executioner:
    """Counts what the process asks of the disk, and kills it in the middle of one such request."""

    def __init__(self, kill_at: int) -> None:
        self.count, self.kill_at = 0, kill_at
        for name in ("pwrite", "write", "fsync", "rename", "unlink", "truncate"):
            setattr(os, name, self.watch(getattr(os, name)))

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(first: Any, *rest: Any) -> Any:
            self.count += 1
            if self.count == self.kill_at:
                if function.__name__ in {"pwrite", "write"}:
                    function(first, bytes(rest[0])[: len(rest[0]) // 2], *rest[1:])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(first, *rest)

        return watched


def merge(folder: Path, target: Path) -> list[str]:
    """Merge and publish, as a run does; returns the tensors that an earlier run had finished."""
    tensor_pass.WINDOW_ELEMENTS = 4096
    base, *models = (full_model(name, open_checkpoint(folder / name)) for name in ("base", "model0", "model1"))
    plan = plan_merge(Ties(density=0.5), models, base)
    partial = partial_folder(target, KEY)
    with CheckpointWriter(partial, lay_out(plan.planned, shard_bytes=20_000), KEY.hex()) as writer:
        adopted = sorted(writer.leaves)
        stream(plan.jobs, writer, threads=2)
        writer.seal()
    publish(partial, target, "old")
    return adopted


def in_child(work: Callable[[], Any]) -> tuple[int, Any]:
    """Do it in a forked process; returns the signal that ended it, and what it returned."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            json.dump(work(), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, json.loads(said) if said else None


def watched_merge(folder: Path, target: Path, kill_at: int) -> int:
    executioner = Executioner(kill_at)
    merge(folder, target)
    return executioner.count


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().hex() for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def main(folder: Path, kills: int, seed: int) -> None:
    target = folder / "child"
    merge(folder, folder / "warm")  # the kernels are loaded before any child is forked
    _, requests = in_child(lambda: watched_merge(folder, target, 0))
    expected = content(target)
    moments = range(1, requests + 1)
    chosen = sorted(random.Random(seed).sample(moments, kills)) if kills else list(moments)
    outcomes: list[dict[str, Any]] = []
    for kill_at in chosen:
        shutil.rmtree(target)
        ended, _ = in_child(lambda kill_at=kill_at: watched_merge(folder, target, kill_at))
        published = content(target)
        _, adopted = in_child(lambda: merge(folder, target)) if not published else (0, [])
        outcomes.append(
            {
                "kill_at": kill_at,
                "signal": ended,
                "whole_or_nothing": published in ({}, expected),
                "adopted": adopted,
                "equal": content(target) == expected,
                "left": sorted(path.name for path in folder.iterdir() if path.name.startswith(".child")),
            }
        )
    print(json.dumps({"requests": requests, "files": sorted(expected), "outcomes": outcomes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
