"""How much of a processor lineal's shortest commands take, now and at an earlier commit."""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from earlier import source_of
from history import keep

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE.parent))

from tests.llamas import make_llama  # noqa: E402 - the tests' models, which are small enough


@dataclass(frozen=True)
class Case:
    """A command; makes: what must not be there before it."""

    words: tuple[str, ...]
    asked: float
    makes: str | None = None


CASES = (
    Case(("merge", "./a", "./b", "--method", "linear", "--out", "m"), 0.45, "m"),
    Case(("log", "m"), 0.6),
    Case(("show", "m"), 0.6),
    Case(("why", "m"), 0.6),
    Case(("--help",), 0.8),
)


_IMPORTED = re.compile(r"import time:\s+(?P<own>\d+) \|\s+\d+ \|\s+(?P<name>\S+)")
_SHOWN = 12
_INTRODUCTION = """
# What it costs to start

`make bench-start`: CPU seconds, user and system, of a whole process.
"""


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="lineal-start-") as folder:
        work = Path(folder)
        sources = (source_of(arguments.commit, work), _HERE.parent / "src")
        homes = [_home(work / name) for name in ("before", "now")]
        lines: list[str] = []
        for case in CASES:
            for home, source in zip(homes, sources, strict=True):
                _ = _seconds(case, home, source)  # caches warm
            sides = list(zip(homes, sources, strict=True))
            spent = [[_seconds(case, *side) for side in sides] for _ in range(arguments.runs)]
            before, now = (statistics.median(side) for side in zip(*spent, strict=True))
            row = f"| lineal {' '.join(case.words)} | {before:.2f} | {now:.2f} | {now / before:.2f} | {case.asked} |"
            print(row, flush=True)
            lines.append(row)
        costs = [_imports(home, source, arguments.runs) for home, source in zip(homes, sources, strict=True)]
    keep(arguments.out, _INTRODUCTION, f"{_measured(arguments, lines)}\n\n{_import_table(*costs)}")


def _home(folder: Path) -> Path:
    folder.mkdir()
    for seed, name in enumerate("ab"):
        make_llama(folder / name, seed=seed, dtype=np.float32)
    return folder


def _imports(home: Path, source: Path, runs: int) -> dict[str, float]:
    """Milliseconds that the modules of each package took by themselves, in a merge: the median of the runs."""
    found: dict[str, list[float]] = {}
    for run in range(runs):
        shutil.rmtree(home / "m", ignore_errors=True)
        command = [sys.executable, "-X", "importtime", "-m", "lineal", *CASES[0].words]
        told = subprocess.run(command, cwd=home, env=_environment(home, source), check=True, capture_output=True)
        spent: dict[str, float] = {}
        for line in told.stderr.decode().splitlines():
            if match := _IMPORTED.match(line):
                package = match["name"].partition(".")[0].lstrip("_")
                spent[package] = spent.get(package, 0.0) + int(match["own"]) / 1000
        for package, milliseconds in spent.items():
            found.setdefault(package, [0.0] * run).append(milliseconds)
    return {package: statistics.median(times) for package, times in found.items()}


def _import_table(before: dict[str, float], now: dict[str, float]) -> str:
    others = {"before": sum(before.values()), "now": sum(now.values())}
    rows: list[str] = []
    for package in sorted(before | now, key=lambda package: -max(before.get(package, 0), now.get(package, 0)))[:_SHOWN]:
        earlier, later = before.get(package, 0.0), now.get(package, 0.0)
        others = {"before": others["before"] - earlier, "now": others["now"] - later}
        rows.append(f"| {package} | {earlier:.0f} | {later:.0f} |")
    rows.append(f"| everything else | {others['before']:.0f} | {others['now']:.0f} |")
    head = "What the merge imports: milliseconds of each package's own modules (`-X importtime`, which adds some):"
    return "\n".join([f"{head}\n", "| package | before | now |", "|---|---|---|", *rows])


def _seconds(case: Case, home: Path, source: Path) -> float:
    """User and system time of one run, of all its threads."""
    if case.makes is not None:
        shutil.rmtree(home / case.makes, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "lineal", *case.words]
    subprocess.run(command, cwd=home, env=_environment(home, source), check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(home: Path, source: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # caches are warm
    return {**kept, "PYTHONPATH": str(source), "LINEAL_REGISTRY": str(home / "registry.db")}


def _measured(arguments: argparse.Namespace, lines: list[str]) -> str:
    head = (
        f"Medians of {arguments.runs} runs of each, alternating, caches warm; before is commit {arguments.commit}.\n\n"
        "| command | before | now | ratio | asked |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", default="5266629", help="the earlier lineal; 5266629")
    parser.add_argument("--runs", type=int, default=9, help="of each command; 9")
    parser.add_argument("--out", type=Path, default=_HERE / "START.md", help="the page to write; START.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
