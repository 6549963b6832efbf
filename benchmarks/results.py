"""What was measured, as a page and as JSON."""

import datetime as dt
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

from comparison import CHECKED, TIMED, Comparison
from earlier import processor
from growth import Growth

_INTRODUCTION = """\
# lineal against mergekit {peer}

`make bench-merge`: merges of two fine-tunes of {parameters:.0f} M parameters in bfloat16, for TIES and DARE-TIES with
their base; lineal, mergekit and floor take turns. Whole processes, with a warm page cache and compiled kernels; memory
is the largest resident set of any process of a run, mapped files included. Ratios, not seconds: machines differ.

*Without start*: of each side its time for the same merge of models that are next to nothing is subtracted. The
**floor** is reading and BLAKE3-hashing all inputs with two threads, then writing, hashing and fsyncing as many bytes as
the child has, in one Python process; an interpreter's bare start is subtracted on both sides of that ratio. lineal
hashes every parent and the child, fsyncs and records; mergekit does none of these. *Remembering* is lineal once more,
where the parents' hashes are known from an earlier run.

*Do both compute the same?* tells the share of entries within one unit in the last place of bfloat16 (at the magnitude
of parent or result), the largest difference in such units, and the root mean square change from the first parent, ours
as a multiple of mergekit's. lineal computes in float32; mergekit once likewise, and once in bfloat16, its fastest, as
in the runs that are timed. TIES: task vectors between bfloat16 models often equal the threshold; lineal keeps all of
those, mergekit some of them. DARE-TIES: each side draws masks of its own.
"""

_AGREEING = """\
### Do both compute the same?
"""
_GROWTH_TITLE = """\
### What depth and width cost

TIES of two fine-tunes and their base by lineal alone; the start of a process is in every row.
"""
_GROWTH = ("model", "M parameters", "times", "s", "times", "CPU s", "MB")

_HEADER = (
    "method",
    "lineal s",
    "remembering s",
    "MB",
    "mergekit s",
    "MB",
    "times faster",
    "without start",
    "times less memory",
    "floor s",
    "lineal / floor",
)


@final
@dataclass(frozen=True)
class Results:
    """Everything one session measured. interpreter_start: seconds; load: of one minute, before it began."""

    comparisons: list[Comparison]
    growth: list[Growth]
    parameters: int
    runs: int
    interpreter_start: float
    load: float
    ours: dict[str, str]
    peer: dict[str, str]

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "processor": processor(), "cores": os.cpu_count(), "date": _today()}

    def introduction(self) -> str:
        return _INTRODUCTION.format(peer=self.peer["mergekit"], parameters=self.parameters / 1e6)

    def measured(self) -> str:
        parts = (self._machine(), self._times(), _AGREEING, self._agreements(), *self._growths())
        return "\n".join(parts)

    def _machine(self) -> str:
        ours, peer = (", ".join(f"{k} {v}" for k, v in side.items()) for side in (self.ours, self.peer))
        python, bare = platform.python_version(), self.interpreter_start
        return (
            f"Medians of {self.runs}. {platform.system()}, Python {python}, load {self.load:.1f} at the start; an "
            f"interpreter's bare start is {bare:.3f} s.\nOurs: {ours}.\nThe peer's: {peer}.\n"
        )

    def _times(self) -> str:
        rows = [_HEADER, tuple("-" for _ in _HEADER)]
        for found in self.comparisons:
            ours, peer, start = found.ours, found.peer, self.interpreter_start
            numbers = (
                f"{ours.seconds:.2f}",
                f"{found.remembering.seconds:.2f}",
                f"{ours.peak_bytes / 1e6:.0f}",
                f"{peer.seconds:.2f}",
                f"{peer.peak_bytes / 1e6:.0f}",
                f"{peer.seconds / ours.seconds:.1f}",
                f"{found.without_start:.1f}",
                f"{peer.peak_bytes / ours.peak_bytes:.1f}",
                f"{found.floor.seconds - start:.2f}",
                f"{(ours.seconds - start) / (found.floor.seconds - start):.2f}",
            )
            rows.append((found.method, *numbers))
        return _table(rows)

    def _agreements(self) -> str:
        header = (
            "method",
            *(f"{dtype}: {name}" for dtype in (CHECKED, TIMED) for name in ("within one", "largest", "change")),
        )
        rows = [header, tuple("-" for _ in header)]
        for found in self.comparisons:
            numbers = [
                text
                for side in (found.checked, found.timed)
                for text in (f"{side.within_one_ulp:.4%}", f"{side.largest_ulps:.3g}", f"{side.size_ratio:.4f}")
            ]
            rows.append((found.method, *numbers))
        return _table(rows)

    def _growths(self) -> list[str]:
        if not self.growth:
            return []
        first = self.growth[0]
        rows = [_GROWTH, tuple("-" for _ in _GROWTH)]
        for grown in self.growth:
            numbers = (
                f"{grown.parameters / 1e6:.0f}",
                f"{grown.parameters / first.parameters:.1f}",
                f"{grown.ours.seconds:.2f}",
                f"{grown.ours.seconds / first.ours.seconds:.1f}",
                f"{grown.ours.cpu_seconds:.1f}",
                f"{grown.ours.peak_bytes / 1e6:.0f}",
            )
            rows.append((grown.name, *numbers))
        return [_GROWTH_TITLE, _table(rows)]


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()
