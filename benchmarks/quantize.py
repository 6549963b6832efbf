"""make bench-quantize: encoders in memory; 660 M parameters as a GGUF, beside llama.cpp and the floor."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import encoders
from checkpoints import BASE, Shape, checkpoints, shape_of
from history import keep
from measure import Measurement, measure, median

from lineal.checkpoint.reader import FULL_WEIGHTS

_ROOT = Path(__file__).parents[1]
_LINEAL = Path(sys.executable).with_name("lineal")
_LLAMA_CPP = _ROOT / "build" / "peers" / "bin" / "python"
_FLOOR = Path(__file__).with_name("floor.py")
_PAGE = Path(__file__).parent / "QUANTIZE.md"
_SMALL = Shape(hidden=256, intermediate=256, layers=1)
_THREADS = 2
_FILE_TYPES = {"q4_k_m": 15, "q5_k_m": 17, "q6_k": 18, "q8_0": 7, "q4_0": 2}
"""llama.h's LLAMA_FTYPE_MOSTLY_..., which its quantizer is asked for by number."""
_INTRODUCTION = """
Whole commands: a Llama of 660 M parameters in bfloat16 becomes a GGUF (`lineal quantize`), beside llama.cpp's
quantizer (llama-cpp-python 0.3.36), which is given the same model as an f16 GGUF, and beside the floor: reading and
hashing all, then writing, hashing and fsyncing as many bytes as the child has (`floor.py`). Two threads on every side;
in turns, medians, whole processes with a warm page cache and compiled kernels. *Without start*: the time of the same
command on a model that is next to nothing is subtracted. lineal hashes parent and child, measures the error of every
tensor, fsyncs and records; llama.cpp does none of these. Memory is the largest resident set.
"""


def with_tokenizer(folder: Path) -> Path:
    """Byte-level BPE of one merge: what it knows does not matter, that there is one does."""
    others = iter(range(256, 512))
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    alphabet = [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]
    vocabulary = {token: index for index, token in enumerate(["<|end|>", *alphabet, "in"])}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    end = {"id": 0, "content": "<|end|>", "special": True, "lstrip": False, "rstrip": False, "single_word": False}
    tokenizer: dict[str, Any] = {"version": "1.0", "added_tokens": [{**end, "normalized": False}], "normalizer": None}
    tokenizer |= {"pre_tokenizer": level, "post_processor": None, "decoder": level}
    tokenizer["model"] = {"type": "BPE", "vocab": vocabulary, "merges": [["i", "n"]]}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    return folder


class Bench:
    """Commands over one model, each run measured in a folder that is emptied after it."""

    def __init__(self, model: Path, work: Path, child: str = "child.gguf") -> None:
        self.model, self.work = model, work
        self._out = work / child
        self._f16 = work / f"{model.parent.name}-f16.gguf"
        self.child_bytes = 0

    def ours(self, scheme: str) -> Measurement:
        """With a registry of its own, so that the parent is hashed each time."""
        registry = self.work / "registry"
        shutil.rmtree(registry, ignore_errors=True)
        words = ["quantize", f"{self.model}", "--scheme", scheme, "--out", f"{self._out}", "--threads", f"{_THREADS}"]
        return self._run([f"{_LINEAL}", *words], {"LINEAL_REGISTRY": f"{registry / 'registry.db'}"})

    def theirs(self, scheme: str) -> Measurement:
        if not self._f16.exists():
            command = [f"{_LINEAL}", "quantize", f"{self.model}", "--scheme", "f16", "--out", f"{self._f16}"]
            measure(command, self.work / "log", {"LINEAL_REGISTRY": f"{self.work / 'f16' / 'registry.db'}"})
        script = _ROOT / "tests" / "peers" / "quantize_in_llama_cpp.py"
        asked = {"source": f"{self._f16}", "target": f"{self._out}", "file_type": _FILE_TYPES[scheme]}
        question = self.work / "question.json"
        question.write_text(json.dumps({**asked, "threads": _THREADS}))
        return self._run(["/bin/sh", "-c", f'"{_LLAMA_CPP}" "{script}" < "{question}"'], {})

    def floor(self, scheme: str) -> Measurement:
        """Of as many bytes as the last child had."""
        command = [sys.executable, f"{_FLOOR}", f"{self._out}", f"{self.child_bytes}", f"{self.model / FULL_WEIGHTS}"]
        return self._run(command, {})

    def _run(self, command: Sequence[str], environment: dict[str, str]) -> Measurement:
        os.sync()  # what the run before left to be written is not this one's to wait for
        found = measure(command, self.work / "log", environment)
        weights = self._out.glob("*.safetensors") if self._out.is_dir() else [self._out]
        self.child_bytes = sum(path.stat().st_size for path in weights)
        shutil.rmtree(self._out, ignore_errors=True)  # a folder
        for path in self.work.glob(f"{self._out.name}*"):
            path.unlink()
        return found


def row(scheme: str, bench: Bench, small: Bench, runs: int) -> str:
    """Medians of all sides, in turns."""
    sides: list[Callable[[], Measurement]] = [lambda: bench.ours(scheme), lambda: bench.floor(scheme)]
    sides += [lambda: small.ours(scheme)]
    sides += [lambda: bench.theirs(scheme)] if _LLAMA_CPP.exists() else []
    found: list[list[Measurement]] = [[] for _ in sides]
    for run in range(runs + 1):
        for measured, side in zip(found, sides, strict=True):
            one = side()
            if run:  # the first compiles kernels and fills the page cache
                measured.append(one)
    ours, floor, start, *theirs = map(median, found)
    at_the_floor = (ours.seconds - start.seconds) / floor.seconds
    peer = f"{theirs[0].seconds:.2f} | {ours.seconds / theirs[0].seconds:.2f}" if theirs else " | "
    memory = f"{ours.peak_bytes / 1e6:.0f} | {theirs[0].peak_bytes / 1e6:.0f}" if theirs else " | "
    return f"| {scheme} | {ours.seconds:.2f} | {peer} | {floor.seconds:.2f} | {at_the_floor:.2f} | {memory} |"


def main() -> None:
    """Measure, and keep it on a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--schemes", nargs="+", choices=_FILE_TYPES, default=list(_FILE_TYPES))
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work", help="where the model is kept")
    asked = parser.parse_args()
    shape = shape_of(660_000_000)
    large, small = (with_tokenizer(checkpoints(asked.work, one)[BASE]) for one in (shape, _SMALL))
    with tempfile.TemporaryDirectory(dir=asked.work) as at:
        places = [Path(at, name) for name in ("large", "small")]
        for place in places:
            place.mkdir()
        benches = Bench(large, places[0]), Bench(small, places[1])
        rows = [row(scheme, *benches, asked.runs) for scheme in asked.schemes]
    blocks = encoders.measured()
    head = "| scheme | lineal s | llama.cpp s | ours / its | floor s | without start / floor | MB | its MB |\n"
    whole = f"{shape.parameters:,} parameters.\n\n{head}|---|---|---|---|---|---|---|---|\n" + "\n".join(rows)
    measured = f"{blocks}\n\n{whole}"
    print(measured)
    keep(_PAGE, encoders.INTRODUCTION + _INTRODUCTION, measured)


if __name__ == "__main__":
    main()
