"""make bench-many: many tensors and many models, beside an earlier commit: seconds and peak memory, alternating."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from earlier import source_of
from history import keep
from measure import Measurement, measure, median
from safetensors.numpy import save_file

_HERE = Path(__file__).parent
_NUMBERS = 8
"""In each tensor: what is measured is what a tensor costs, not its bytes."""


@final
@dataclass(frozen=True)
class Case:
    """One command; asked: the most that its seconds and its memory may be of the earlier ones, None where no matter."""

    title: str
    words: Sequence[str]
    asked: tuple[float | None, float | None]


_INTRODUCTION = f"""
# Many tensors and many models, before and now

`make bench-many`: tensors of {_NUMBERS} numbers in float32; runs of the two alternate, each in a registry of its own.
Both made the same weights, byte for byte.
"""


def main() -> None:
    arguments = _arguments()
    shutil.rmtree(arguments.work, ignore_errors=True)
    arguments.work.mkdir(parents=True)
    sides = {"before": source_of(arguments.before, arguments.work), "now": _HERE.parent / "src"}
    rows: list[str] = []
    for case in _cases(arguments):
        runs: dict[str, list[Measurement]] = {name: [] for name in sides}
        made: set[bytes] = set()
        for _ in range(arguments.runs):
            for name, source in sides.items():
                runs[name].append(_run(case, source, arguments.work))
                child = arguments.work / "child" / "model.safetensors"
                made |= {child.read_bytes()} if child.exists() else set()
        if len(made) > 1:
            raise RuntimeError(f"{case.title}: the two made different weights")
        rows.append(_row(case, median(runs["before"]), median(runs["now"])))
        keep(arguments.out, _INTRODUCTION, _measured(arguments, rows))  # whatever comes after
    print(_measured(arguments, rows))


def _run(case: Case, source: Path, work: Path) -> Measurement:
    """In a registry of its own, where nothing is remembered."""
    for left in ("registry", "child"):
        shutil.rmtree(work / left, ignore_errors=True)
    environment = {"PYTHONPATH": str(source), "LINEAL_REGISTRY": str(work / "registry" / "registry.db")}
    return measure([sys.executable, "-m", "lineal", *case.words], work / "log", environment)


def _cases(arguments: argparse.Namespace) -> list[Case]:
    work, count = arguments.work, arguments.tensors
    left, right = (_model(work / name, count, seed) for seed, name in enumerate(("left", "right")))
    merge = ["merge", str(left), str(right), "--method", "linear", "--out", str(work / "child")]
    originals = _family(work, arguments.originals)
    return [
        Case(f"add, {count:,} tensors", ["add", str(left)], (0.4, 0.4)),
        Case(f"linear merge, {count:,} tensors", merge, (0.5, None)),
        Case(f"run --dry-run, {arguments.originals:,} originals", ["run", str(originals), "--dry-run"], (0.3, None)),
    ]


def _model(folder: Path, count: int, seed: int) -> Path:
    """Experts of two by four, and a norm for each thousand tensors."""
    names = [
        f"model.layers.{index // 1000}.mlp.experts.{index % 1000 // 3}.{('gate', 'up', 'down')[index % 3]}_proj.weight"
        for index in range(count)
    ]
    values = np.random.default_rng(seed).standard_normal((count, 2, _NUMBERS // 2), np.float32)
    return _written(folder, dict(zip(names, values, strict=True)))


def _family(work: Path, count: int) -> Path:
    """A family file of nothing but originals, each a model of one small tensor."""
    lines = ["family: many", "models:"]
    for index in range(count):
        _ = _written(work / "m" / str(index), {"model.norm.weight": np.full(4, index, np.float32)})
        lines.append(f"  m{index}: {{original: {{path: m/{index}}}}}")
    (work / "family.yaml").write_text("\n".join(lines) + "\n")
    return work / "family.yaml"


def _written(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": 4}))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _row(case: Case, before: Measurement, now: Measurement) -> str:
    cells = [case.title]
    for earlier, later, unit, asked in (
        (before.seconds, now.seconds, 1.0, case.asked[0]),
        (before.peak_bytes, now.peak_bytes, 1e6, case.asked[1]),
    ):
        cells += [f"{earlier / unit:,.1f}", f"{later / unit:,.1f}", f"{later / earlier:.2f}", f"{asked or ''}"]
    return f"| {' | '.join(cells)} |"


def _measured(arguments: argparse.Namespace, rows: list[str]) -> str:
    heads = ("command", "s before", "now", "ratio", "asked", "peak MB before", "now", "ratio", "asked")
    told = f"Medians of {arguments.runs} runs of each; before is commit {arguments.before}.\n"
    return "\n".join([told, f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tensors", type=int, default=100_000, help="of each model; 100000")
    parser.add_argument("--originals", type=int, default=18_000, help="of the family; 18000")
    parser.add_argument("--before", default="5266629", help="the commit to compare with; 5266629")
    parser.add_argument("--runs", type=int, default=3, help="of each side, of which the median counts; 3")
    parser.add_argument("--out", type=Path, default=_HERE / "MANY.md", help="the page to write; MANY.md")
    parser.add_argument("--work", type=Path, default=_HERE / "work" / "many", help="where models and sources are")
    return parser.parse_args()


if __name__ == "__main__":
    main()
