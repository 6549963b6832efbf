"""make bench-eval: tokens a second and peak memory of evaluations, beside those of an earlier commit, alternating."""

import argparse
import json
import math
import pydoc_data.topics
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from earlier import source_of
from history import keep
from measure import Measurement, measure

_HERE = Path(__file__).parent
_BYTES, _LONG_BYTES, _DOCUMENT_BYTES = 8_000, 80_000, 200
_AGREEMENT = 1e-6


@final
@dataclass(frozen=True)
class Case:
    """One text for one model; reference: what KL is measured from."""

    title: str
    text: Path
    reference: Path | None = None


@final
@dataclass(frozen=True)
class Side:
    """Medians of one lineal on one case."""

    tokens_a_second: float
    peak_bytes: int
    figures: dict[str, float | None]


_INTRODUCTION = """
# Evaluations, before and now

`make bench-eval MODEL=FOLDER`: seconds are those of scoring; memory is that of the whole process.
"""


def main() -> None:
    arguments = _arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    sides = {"before": source_of(arguments.before, arguments.work), "now": _HERE.parent / "src"}
    rows = []
    for case in _cases(arguments.work, arguments.reference):
        runs: dict[str, list[tuple[Measurement, dict[str, Any]]]] = {name: [] for name in sides}
        for _ in range(arguments.runs):
            for name, source in sides.items():
                runs[name].append(_run(arguments.model, case, source, arguments.work / "log"))
        before, now = (_side(runs[name]) for name in sides)
        rows.append(_row(case, before, now))
        keep(arguments.out, _INTRODUCTION, _measured(arguments, rows))  # whatever comes after
    print(_measured(arguments, rows))


def _run(model: Path, case: Case, source: Path, log: Path) -> tuple[Measurement, dict[str, Any]]:
    command = [sys.executable, str(_HERE / "scored.py"), str(model), str(case.text)]
    command += [] if case.reference is None else [str(case.reference)]
    found = measure(command, log, {"PYTHONPATH": str(source), "OMP_WAIT_POLICY": "PASSIVE"})
    return found, json.loads(log.read_text().splitlines()[-1])


def _side(runs: list[tuple[Measurement, dict[str, Any]]]) -> Side:
    rates = [said["tokens"] / said["seconds"] for _, said in runs]
    figures = {name: runs[0][1][name] for name in ("perplexity", "bits_per_byte", "kl")}
    return Side(statistics.median(rates), int(statistics.median(m.peak_bytes for m, _ in runs)), figures)


def _row(case: Case, before: Side, now: Side) -> str:
    for name, figure in now.figures.items():
        earlier = before.figures[name]
        if figure is not None and earlier is not None and not math.isclose(figure, earlier, rel_tol=_AGREEMENT):
            raise RuntimeError(f"{case.title}: {name} is {figure}, and was {earlier}")
    cells = [
        case.title,
        f"{before.tokens_a_second:.0f}",
        f"{now.tokens_a_second:.0f}",
        f"{now.tokens_a_second / before.tokens_a_second:.2f}",
        f"{before.peak_bytes / 1e6:,.0f}",
        f"{now.peak_bytes / 1e6:,.0f}",
        f"{now.peak_bytes / before.peak_bytes:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _measured(arguments: argparse.Namespace, rows: list[str]) -> str:
    heads = ("text", "tokens/s before", "now", "ratio", "peak MB before", "now", "ratio")
    told = (
        f"{arguments.model.name}, float32; medians of {arguments.runs} runs of each, alternating; before is commit "
        f"{arguments.before}. Figures of the two agree to {_AGREEMENT:g}.\n"
    )
    return "\n".join([told, f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows])


def _cases(work: Path, reference: Path | None) -> list[Case]:
    """Text from Python's own documentation: 8 kB as one document and as many, beside a reference, and 80 kB."""
    text = "\n".join(pydoc_data.topics.topics[topic] for topic in sorted(pydoc_data.topics.topics))
    one, many, long = work / "8k.txt", work / "8k.jsonl", work / "80k.txt"
    _ = one.write_text(text[:_BYTES])
    _ = long.write_text(text[:_LONG_BYTES])
    starts = range(0, _BYTES, _DOCUMENT_BYTES)
    documents = (text[start : start + _DOCUMENT_BYTES + 7 * (start // _DOCUMENT_BYTES % 5)] for start in starts)
    _ = many.write_text("".join(json.dumps({"text": document}) + "\n" for document in documents))
    cases = [Case("8 kB, one document", one), Case(f"8 kB, {len(starts)} documents", many)]
    compared = [] if reference is None else [Case("8 kB, with KL from a reference", one, reference)]
    return [*cases, *compared, Case("80 kB, one document", long)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("--reference", type=Path, help="a model of the same tokenizer, for a case with KL")
    parser.add_argument("--before", default="5266629", help="the commit to compare with; 5266629")
    parser.add_argument("--runs", type=int, default=3, help="of each side, of which the median counts; 3")
    parser.add_argument("--out", type=Path, default=_HERE / "EVALUATION.md", help="the page to write; EVALUATION.md")
    parser.add_argument("--work", type=Path, default=_HERE / "work" / "evaluation", help="where texts and sources are")
    return parser.parse_args()


if __name__ == "__main__":
    main()
