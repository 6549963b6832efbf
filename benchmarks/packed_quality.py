"""What packed formats cost a model: perplexity and KL against its parent; of calibrated methods, of five seeds.

Usage: packed_quality.py [--model MODEL --calibration TEXT --texts TEXT...] [--group-size N] [--ways SCHEME:METHOD ...]
Without a model it is that of `make bench-model`, whose texts are known, and the table is kept on a page.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from history import keep
from model import CONTEXT, bench_model
from seeds import SEEDS, Spread, spread, wins

_PAGE = Path(__file__).parent / "PACKED-QUALITY.md"
_INTRODUCTION = """
# What packed formats cost the bench model

`make bench-quantize`: the model of `make bench-model` (28.8 M parameters) rounded to nearest, and by GPTQ with five
seeds, each a sample of 128 x 512 tokens of its calibration text; groups of 128. Perplexity and KL divergence from the
model (nats a token) on files that it has not seen, means and standard deviations of the seeds, and of how many seeds
the KL is below that of rounding to nearest. Bits are of all weights, embedding included.
"""
_LINEAL = Path(sys.executable).with_name("lineal")
_CALIBRATED = ("gptq", "awq", "smoothquant", "static")
_GROUPED = ("w2a16", "w3a16", "w4a16", "w8a16")
_WAYS = ("w4a16:rtn", "w4a16:gptq", "w3a16:rtn", "w3a16:gptq")


@final
@dataclass(frozen=True)
class Asked:
    """What is measured on what."""

    model: Path
    calibration: Path
    texts: Sequence[Path]
    group_size: int
    seeds: Sequence[int]
    context: int
    work: Path

    def child(self, way: str, seed: int) -> Path:
        """Made, unless it is there."""
        scheme, method = way.split(":")
        out = self.work / f"{scheme}-{method}-{seed}"
        words = ["quantize", f"{self.model}", "--scheme", scheme, "--method", method, "--out", f"{out}"]
        words += ["--group-size", f"{self.group_size}"] if scheme in _GROUPED else []
        words += ["--data", f"{self.calibration}", "--seed", f"{seed}"] if method in _CALIBRATED else []
        self.lineal(*words)
        return out

    def lineal(self, *words: str) -> str:
        command = [f"{_LINEAL}", *words, "--registry", f"{self.work / 'registry.db'}"]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        return done.stdout

    def scores(self, model: Path) -> list[dict[str, Any]]:
        """Of each text, in their order."""
        texts = [word for text in self.texts for word in ("--data", f"{text}")]
        found = json.loads(self.lineal("eval", f"{model}", *texts, "--context", f"{self.context}", "--json"))
        return sorted(found, key=lambda one: [text.stem for text in self.texts].index(Path(one["text"]).stem))

    def bits(self, child: Path) -> float:
        """Of the parent's weights, over all tensors of the child."""
        sizes = [json.loads(self.lineal("show", f"{model}", "--json")) for model in (child, self.model)]
        return 8 * sizes[0]["bytes"] / sizes[1]["parameters"]


@final
@dataclass(frozen=True)
class Found:
    """Of one way: a score a seed, a text each."""

    bits: float
    runs: Sequence[Sequence[dict[str, Any]]]

    def figures(self, text: int, what: str) -> list[float]:
        return [run[text][what] for run in self.runs]

    def spread(self, text: int, what: str) -> Spread:
        return spread(self.figures(text, what))


def measured(asked: Asked, ways: Sequence[str]) -> Iterator[tuple[str, Found]]:
    """A way whose method reads no text has one run."""
    for way in ways:
        seeds = asked.seeds if way.split(":")[1] in _CALIBRATED else asked.seeds[:1]
        children = [asked.child(way, seed) for seed in seeds]
        yield way, Found(asked.bits(children[0]), [asked.scores(child) for child in children])


def row(name: str, found: Found, against: Found | None) -> str:
    """against: rounding to nearest in the same scheme, which the calibrated method is to beat seed by seed."""
    cells = [name, f"{found.bits:.2f}"]
    for text in range(len(found.runs[0])):
        perplexity, kl = found.spread(text, "perplexity"), found.spread(text, "kl")
        several = len(found.runs) > 1
        cells += [f"{perplexity}" if several else f"{perplexity.mean:.3f}", f"{kl}" if several else f"{kl.mean:.4g}"]
        if against is None or not several:
            cells.append("")
        else:
            theirs = [against.spread(text, "kl").mean] * len(found.runs)
            cells.append(wins(found.figures(text, "kl"), theirs))
    return f"| {' | '.join(cells)} |"


def table(asked: Asked, ways: Sequence[str]) -> Iterator[str]:
    """A row as soon as it is measured."""
    parent = [one["perplexity"] for one in asked.scores(asked.model)]
    yield f"Parent: {', '.join(f'{t.stem} {p:.3f}' for t, p in zip(asked.texts, parent, strict=True))}\n"
    heads = [f"{text.stem}: perplexity | KL | seeds below rtn" for text in asked.texts]
    yield f"| way | bits a weight | {' | '.join(heads)} |"
    yield f"|{'---|' * (2 + 3 * len(heads))}"
    nearest: dict[str, Found] = {}
    for way, found in measured(asked, ways):
        scheme, method = way.split(":")
        if method == "rtn":
            nearest[scheme] = found
        yield row(f"{scheme}, {method}", found, nearest.get(scheme))


def without_record(model: Path, work: Path) -> Path:
    """The model as nobody's child: an evaluation would ask for what its record names, which need not be here."""
    return shutil.copytree(model, work / "parent", ignore=shutil.ignore_patterns("lineal.json"))


def main() -> None:
    """Print the table, and keep it where it is of the bench model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--texts", type=Path, nargs="+")
    parser.add_argument("--group-size", type=int, default=128)
    parser.add_argument("--context", type=int, default=CONTEXT)
    parser.add_argument("--ways", nargs="+", default=list(_WAYS), metavar="SCHEME:METHOD")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    given = parser.parse_args()
    is_bench = given.model is None
    if is_bench:
        bench = bench_model()
        given.model, given.calibration, given.texts = bench.folder, bench.calibration, list(bench.scored.values())
    with tempfile.TemporaryDirectory() as at:
        model = without_record(given.model, Path(at))
        asked = Asked(model, given.calibration, given.texts, given.group_size, given.seeds, given.context, Path(at))
        lines: list[str] = []
        for line in table(asked, given.ways):
            print(line, flush=True)
            lines.append(line)
    if is_bench:
        keep(_PAGE, _INTRODUCTION, "\n".join(lines))


if __name__ == "__main__":
    main()
