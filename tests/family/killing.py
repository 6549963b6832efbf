"""Runs of the command line that are killed at a moment drawn from a seed."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def start(folder: Path, *words: str, largest_file: int | None = None) -> "subprocess.Popen[bytes]":
    """largest_file: bytes at which the system refuses to let a file grow, as a full disk does."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = {**os.environ, "LINEAL_REGISTRY": str(folder / ".lineal" / "registry.db"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "lineal", *words]
    pipe = subprocess.PIPE
    before = None if largest_file is None else limit
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, preexec_fn=before)


def finish(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a run that nobody disturbs."""
    process = start(folder, *words)
    out, err = process.communicate(timeout=300)
    return process.returncode, out.decode(), err.decode()


def seconds_of(folder: Path, *words: str) -> float:
    began = time.monotonic()
    code, _, err = finish(folder, *words)
    assert code == 0, err
    return time.monotonic() - began


def moments(seed: int, count: int, longest: float) -> Iterator[float]:
    """Moments in (0.2, longest): before it nothing but Python has started."""
    drawn = random.Random(seed)
    return (drawn.uniform(0.2, longest) for _ in range(count))


def run_and_kill(folder: Path, after: float, with_signal: int, *words: str) -> tuple[int, str]:
    """Exit code and stderr; the run may have finished before its moment came."""
    process = start(folder, *words)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, with_signal)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.decode()


def weights(folder: Path) -> dict[str, bytes]:
    """The bytes of every published model's weights."""
    found = [path for path in (folder / "models").glob("[!.]*/*") if path.suffix in (".safetensors", ".gguf")]
    return {path.parent.name: path.read_bytes() for path in found}


KILL = signal.SIGKILL
INTERRUPT = signal.SIGINT
