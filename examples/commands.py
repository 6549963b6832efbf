"""A lineal command, as a user types it: shown, run, and measured."""

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

INTERRUPTED = 130
_KIBIBYTE = 1024 if sys.platform == "linux" else 1
"""ru_maxrss counts kibibytes on Linux, bytes on macOS."""


@final
@dataclass(frozen=True)
class Ran:
    """What a command answered and what it took. said: its errors, where they were kept."""

    code: int
    answer: str
    said: str
    seconds: float
    peak_bytes: int


@final
@dataclass(frozen=True)
class Commands:
    """Runs commands in one folder, with a registry of its own."""

    folder: Path
    registry: Path

    def show(self, line: str) -> Ran:
        """Run it with its output on the terminal; where it fails, this program ends as it did."""
        return self._succeeding(line, None)

    def ask(self, line: str) -> Ran:
        """Run it and keep its answer; its errors stay on the terminal."""
        return self._succeeding(line, subprocess.PIPE)

    def attempt(self, line: str) -> Ran:
        """Run what may be refused, and keep all it says."""
        return self._run(line, subprocess.PIPE, subprocess.PIPE)

    def _succeeding(self, line: str, stdout: int | None) -> Ran:
        ran = self._run(line, stdout, None)
        if ran.code:
            raise SystemExit(ran.code)
        return ran

    def _run(self, line: str, stdout: int | None, stderr: int | None) -> Ran:
        """Ctrl-C goes to the command, which ends in its own way and says so; this program waits for it."""
        print(f"\n$ lineal {line}", flush=True)
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            ran = self._measured(line, stdout, stderr)
        finally:
            signal.signal(signal.SIGINT, before)
        if ran.code == INTERRUPTED:
            print(ran.said, end="", file=sys.stderr)
            # make takes 130 for its own interrupt; where interrupts are ignored it has none, and this is a failure
            raise SystemExit(1 if before is signal.SIG_IGN else INTERRUPTED)
        return ran

    def _measured(self, line: str, stdout: int | None, stderr: int | None) -> Ran:
        began = time.monotonic()
        command = [sys.executable, "-m", "lineal", *shlex.split(line)]
        environment = {**os.environ, "LINEAL_REGISTRY": str(self.registry)}
        child = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=stdout, stderr=stderr, text=True)
        # errors are far fewer than a pipe holds, so reading one stream after the other cannot hang
        answer, said = (stream.read() if stream else "" for stream in (child.stdout, child.stderr))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        return Ran(child.returncode, answer, said, seconds, usage.ru_maxrss * _KIBIBYTE)
