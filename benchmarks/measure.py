"""A command as a child process: wall seconds, CPU seconds and peak memory, its own children included."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

_KIBIBYTE = 1024 if sys.platform == "linux" else 1
"""ru_maxrss counts kibibytes on Linux, bytes on macOS."""
_SHOWN_CHARACTERS = 2000


@final
@dataclass(frozen=True)
class Measurement:
    """What one run took. peak_bytes: the most that any one process of the run held at once, mapped files included."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Measurement:
    """Run a command to its end. What it prints goes to `log`; a failure is a RuntimeError that quotes it.

    A small process in between waits for it: a child begins with the peak of the process that started it.
    """
    everything = {**os.environ, **(environment or {})}
    everything.pop("PYTHONDONTWRITEBYTECODE", None)  # else every import of a run compiles its source again
    wrapper = [sys.executable, "-E", "-S", __file__, str(log), *command]
    ran = subprocess.run(wrapper, env=everything, check=True, stdout=subprocess.PIPE)
    found = json.loads(ran.stdout)
    if found.pop("status") != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text()[-_SHOWN_CHARACTERS:]}")
    return Measurement(**found)


def median(runs: Sequence[Measurement]) -> Measurement:
    """Of each number by itself."""
    return Measurement(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs),
        int(statistics.median(run.peak_bytes for run in runs)),
    )


def interpreter_start(runs: int) -> float:
    """Seconds for an interpreter to start and do nothing."""
    return median([measure([sys.executable, "-c", "pass"], Path(os.devnull)) for _ in range(runs)]).seconds


def _wait_for(log: str, command: list[str]) -> None:
    redirected = [
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=redirected)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    result = {
        "status": status,
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * _KIBIBYTE,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    _wait_for(sys.argv[1], sys.argv[2:])
