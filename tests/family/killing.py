"""Runs of the command line that are killed at a moment drawn from a seed, in processes that have loaded everything."""

import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lineal.cli.entry import main

KILL = signal.SIGKILL
INTERRUPT = signal.SIGINT

_SAID = ".said"
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    [f"lineal.{module}" for module in ("cli.entry", "family.run", "family.verify", "family.add", "engines.train")]
)


def start(folder: Path, *words: str, largest_file: int | None = None) -> "subprocess.Popen[bytes]":
    """A program of its own, from its very beginning.

    largest_file: bytes at which the system refuses to let a file grow, as a full disk does.
    """

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = {**os.environ, **_environment(folder)}
    command = [sys.executable, "-m", "lineal", *words]
    pipe = subprocess.PIPE
    before = None if largest_file is None else limit
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, preexec_fn=before)


def finish(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a run that nobody disturbs."""
    return _run(folder, None, words)


def seconds_of(folder: Path, *words: str) -> float:
    assert finish(folder, "methods")[0] == 0  # the first process waits until everything is loaded
    began = time.monotonic()
    code, _, err = finish(folder, *words)
    assert code == 0, err
    return time.monotonic() - began


def moments(seed: int, count: int, longest: float) -> Iterator[float]:
    """Moments in (0, longest)."""
    drawn = random.Random(seed)
    return (drawn.uniform(0, longest) for _ in range(count))


def run_and_kill(folder: Path, after: float, *words: str) -> int:
    """Exit code; the run may have finished before its moment came."""
    return _run(folder, after, words)[0]


def weights(folder: Path) -> dict[str, bytes]:
    """The bytes of every published model's weights."""
    found = [path for path in (folder / "models").glob("[!.]*/*") if path.suffix in (".safetensors", ".gguf")]
    return {path.parent.name: path.read_bytes() for path in found}


def _run(folder: Path, kill_after: float | None, words: tuple[str, ...]) -> tuple[int, str, str]:
    said = folder.with_name(folder.name + _SAID)
    said.mkdir(exist_ok=True)
    process = _processes.Process(target=_command, args=(folder, said, words))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch is loaded before anything asks for it
    process.start()
    process.join(300 if kill_after is None else kill_after)
    process.kill()
    process.join()
    code = process.exitcode
    assert code is not None
    return code, *((said / name).read_text() if (said / name).exists() else "" for name in ("out", "err"))


def _command(folder: Path, said: Path, words: tuple[str, ...]) -> None:
    os.chdir(folder)
    os.environ.update(_environment(folder))
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        with (said / name).open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.exit(main(words))


def _environment(folder: Path) -> dict[str, str]:
    return {"LINEAL_REGISTRY": str(folder / ".lineal" / "registry.db"), "HF_HUB_OFFLINE": "1"}
