"""Progress where nobody watches a bar, in a pipe or a log: a line now and then."""

import threading
import time
from collections.abc import Callable
from typing import final

from lineal.cli.terminal import remark
from lineal.family.progress import Unit
from lineal.lineage.records.wording import size

EVERY_SECONDS = 10.0


@final
class ProgressLines:
    """How far a task is, on stderr, at most every ten seconds: what is done sooner says nothing. Thread-safe."""

    def __init__(self, title: str, total: int, unit: Unit, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._total, self._unit, self._clock = title, total, unit, clock
        self._done = 0
        self._begun = self._said = clock()
        self._lock = threading.Lock()

    def __call__(self, amount: int, note: str = "", /) -> None:
        with self._lock:
            self._done += amount
            now = self._clock()
            if now - self._said < EVERY_SECONDS or self._done >= self._total:
                return
            self._said = now
            left = (self._total - self._done) * (now - self._begun) / self._done if self._done else None
            remark(self._line(left, note))

    def _line(self, seconds_left: float | None, note: str) -> str:
        if self._unit == "bytes":
            far = f"{size(self._done)} of {size(self._total)}"
        else:
            far = f"{self._done:,} of {self._total:,} {self._unit}"
        left = "" if seconds_left is None else f", {_duration(seconds_left)} left"
        return f"{self._title}: {far}{left}{', ' if note else ''}{note}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
