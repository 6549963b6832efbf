"""make bench-merge: merges by lineal and by mergekit on the same generated checkpoints, and the floor of both."""

import argparse
import json
import os
import re
from importlib.metadata import version
from pathlib import Path

from checkpoints import Shape, checkpoints, shape_of
from comparison import Bench
from growth import growth
from history import keep
from measure import interpreter_start
from peer import peer
from recipes import RECIPES
from results import Results

_HERE = Path(__file__).parent
_OURS = ("lineal", "numba", "numpy", "blake3")
_PEERS = ("mergekit", "torch", "transformers", "safetensors")
_SMALL = Shape(hidden=64, intermediate=128, layers=1)
_UNITS = {"M": 1_000_000, "B": 1_000_000_000}


def main() -> None:
    arguments = _arguments()
    work = arguments.work
    load = os.getloadavg()[0]
    installed = peer(work)
    shape = shape_of(arguments.parameters)
    small = Bench(checkpoints(work / "small", _SMALL), installed, work / "small" / "runs")
    bench = Bench(checkpoints(work, shape), installed, work / "runs", small)
    results = Results(
        [],
        [],
        parameters=shape.parameters,
        runs=arguments.runs,
        interpreter_start=interpreter_start(arguments.runs),
        load=load,
        ours={package: version(package) for package in _OURS},
        peer=installed.versions(_PEERS),
    )
    for method in arguments.methods:
        results.comparisons.append(bench.compare(RECIPES[method], arguments.runs))
        keep(arguments.out, results.introduction(), results.measured())  # a run of an hour may be cut short
    if "ties" in arguments.methods:
        results.growth.extend(growth(RECIPES["ties"], shape_of(arguments.parameters // 6), work, arguments.runs))
        keep(arguments.out, results.introduction(), results.measured())
    print(json.dumps(results.json(), indent=2) if arguments.json else results.measured())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", choices=RECIPES, default=list(RECIPES), help="which merges; all")
    parser.add_argument("--runs", type=int, default=5, help="timed runs on each side, of which the median counts; 5")
    parser.add_argument("--parameters", type=_count, default="660M", help="of each checkpoint, such as 60M or 2B; 660M")
    parser.add_argument("--out", type=Path, default=_HERE / "RESULTS.md", help="the page to write; RESULTS.md")
    parser.add_argument("--work", type=Path, default=_HERE / "work", help="where what is built once is kept")
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON instead of the page")
    return parser.parse_args()


def _count(text: str) -> int:
    written = re.fullmatch(r"(\d+)([MB])", text)
    if written is None:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of parameters as 660M or 2B")
    return int(written[1]) * _UNITS[written[2]]


if __name__ == "__main__":
    main()
