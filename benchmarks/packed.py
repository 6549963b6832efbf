"""make bench-quantize, second part: 660 M parameters in packed formats, whole commands beside the floor."""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
from checkpoints import BASE, checkpoints, shape_of
from history import keep
from measure import Measurement, median
from quantize import Bench, with_tokenizer

from lineal.checkpoint.reader import FULL_WEIGHTS
from lineal.checkpoint.written.layout import Planned, lay_out

_PAGE = Path(__file__).parent / "PACKED.md"
_SCHEMES = ("w4a16", "w3a16", "w8a16", "w8a8", "fp8_dynamic", "fp8_block", "nvfp4", "mxfp4", "nf4", "int8")
_SIDE = 128
_INTRODUCTION = """
# What packing costs

`make bench-quantize`: a Llama of 660 M parameters in bfloat16 becomes a folder in a packed format (`lineal quantize`,
rounding to nearest, groups of 128), beside the floor: reading and hashing all, then writing, hashing and fsyncing as
many bytes as the child has (`floor.py`). Two threads on both sides; in turns, medians, whole processes with a warm page
cache and compiled kernels. *Without start*: the time of the same command on a model of two tensors is subtracted.
*Processor seconds alike*: the same ratio of processor seconds, which another load disturbs less. lineal also measures
the error of every tensor and records the step. Memory is the largest resident set.
"""


def two_tensors(folder: Path) -> Path:
    """The least that can be quantized: an embedding and one matrix."""
    folder.mkdir()
    shapes = {"model.embed_tokens.weight": (258, _SIDE), "model.layers.0.mlp.up_proj.weight": (_SIDE, _SIDE)}
    layout = lay_out([Planned(name, "BF16", shape) for name, shape in shapes.items()])
    values = np.random.default_rng(0).standard_normal(sum(a * b for a, b in shapes.values())).astype(ml_dtypes.bfloat16)
    (folder / FULL_WEIGHTS).write_bytes(layout.headers[FULL_WEIGHTS] + values.tobytes())
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": _SIDE,
        "num_hidden_layers": 1,
    }
    config |= {"intermediate_size": _SIDE, "num_attention_heads": 2, "vocab_size": 258, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))
    return with_tokenizer(folder)


def row(scheme: str, bench: Bench, small: Bench, runs: int) -> str:
    """Medians of both sides, in turns."""
    sides: list[Callable[[], Measurement]] = [
        lambda: bench.ours(scheme),
        lambda: bench.floor(scheme),
        lambda: small.ours(scheme),
    ]
    found: list[list[Measurement]] = [[] for _ in sides]
    size = 0
    for run in range(runs + 1):
        for measured, side in zip(found, sides, strict=True):
            one = side()
            size = bench.child_bytes
            if run:  # the first compiles kernels and fills the page cache
                measured.append(one)
    ours, floor, start = map(median, found)
    times = (ours.seconds - start.seconds) / floor.seconds
    in_processors = (ours.cpu_seconds - start.cpu_seconds) / floor.cpu_seconds
    seconds = f"{ours.seconds:.2f} | {start.seconds:.2f} | {floor.seconds:.2f} | {times:.2f} | {in_processors:.2f}"
    return f"| {scheme} | {seconds} | {ours.peak_bytes / 1e6:.0f} | {size / 1e6:.0f} |"


def main() -> None:
    """Measure, and keep it on a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--schemes", nargs="+", choices=_SCHEMES, default=list(_SCHEMES))
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work", help="where the model is kept")
    asked = parser.parse_args()
    shape = shape_of(660_000_000)
    large = with_tokenizer(checkpoints(asked.work, shape)[BASE])
    with tempfile.TemporaryDirectory(dir=asked.work) as at:
        places = [Path(at, name) for name in ("large", "small")]
        for place in places:
            place.mkdir()
        benches = Bench(large, places[0], "child"), Bench(two_tensors(Path(at, "two")), places[1], "child")
        rows = [row(scheme, *benches, asked.runs) for scheme in asked.schemes]
    head = (
        "| scheme | lineal s | start s | floor s | without start / floor | processor seconds alike | MB | child MB |\n"
    )
    measured = f"{shape.parameters:,} parameters.\n\n{head}|---|---|---|---|---|---|---|---|\n" + "\n".join(rows)
    print(measured)
    keep(_PAGE, _INTRODUCTION, measured)


if __name__ == "__main__":
    main()
