"""How much of a processor lineal's shortest commands take, now and at an earlier commit."""

import argparse
import os
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
    keep(arguments.out, _INTRODUCTION, _measured(arguments, lines))


def _home(folder: Path) -> Path:
    folder.mkdir()
    for seed, name in enumerate("ab"):
        make_llama(folder / name, seed=seed, dtype=np.float32)
    return folder


def _seconds(case: Case, home: Path, source: Path) -> float:
    """User and system time of one run, of all its threads."""
    if case.makes is not None:
        shutil.rmtree(home / case.makes, ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # caches are warm
    environment = {**kept, "PYTHONPATH": str(source), "LINEAL_REGISTRY": str(home / "registry.db")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "lineal", *case.words]
    subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
