"""What another layout costs: a mixture of 660 M parameters stored anew, and the second hash of what lies fused."""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from history import keep
from measure import measure, median
from rehash import evict

from lineal.checkpoint.content.hashing import hash_folder, hash_tensors
from lineal.checkpoint.layouts.known import layouts_of
from lineal.checkpoint.layouts.storing import stored_as
from lineal.checkpoint.layouts.table import FUSED
from lineal.checkpoint.reader import FULL_WEIGHTS, open_checkpoint
from lineal.checkpoint.written.layout import Planned, lay_out

HIDDEN, INTERMEDIATE, LAYERS, EXPERTS, VOCABULARY = 1024, 2048, 12, 8, 16_000
CONFIG = {"model_type": "qwen3_moe", "num_experts": EXPERTS, "dtype": "bfloat16", "tie_word_embeddings": False}
_RUNS = 5
_THREADS = "2"
_PAGE = Path(__file__).parent / "LAYOUTS.md"
_INTRODUCTION = """
# What another layout costs

`make bench-layouts`: a mixture of 8 experts with 660 M parameters in bfloat16, stored anew in another layout with two
threads (`lineal merge MODEL --method passthrough --layout ...`), beside the floor: reading and hashing all, then
writing, hashing and fsyncing as much (`floor.py`). In turns, medians. Then the hashes of the fused folder, in the page
cache and read from the disk: those of the stored tensors alone, and with those of the published ones they are made of.
"""


def tensors() -> list[Planned]:
    """As published."""
    square, up, down = (HIDDEN, HIDDEN), (INTERMEDIATE, HIDDEN), (HIDDEN, INTERMEDIATE)
    block = {f"self_attn.{name}_proj": square for name in "qkvo"} | {"mlp.gate": (EXPERTS, HIDDEN)}
    for expert in range(EXPERTS):
        apart = (("gate_proj", up), ("up_proj", up), ("down_proj", down))
        block |= {f"mlp.experts.{expert}.{name}": shape for name, shape in apart}
    named = {f"model.layers.{i}.{name}": shape for i in range(LAYERS) for name, shape in block.items()}
    named |= {"model.embed_tokens": (VOCABULARY, HIDDEN), "lm_head": (VOCABULARY, HIDDEN), "model.norm": (HIDDEN,)}
    return [Planned(f"{name}.weight", "BF16", shape) for name, shape in named.items()]


def write_mixture(folder: Path, *, fused: bool) -> Path:
    """Random weights; the two layouts hold other values: what is measured does not depend on them."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    planned = tensors()
    if fused:
        layouts = [layout for layout in layouts_of(CONFIG) or () if layout.name == FUSED]
        planned = [Planned(one.name, one.dtype, one.shape) for one in stored_as(planned, layouts, CONFIG, "mixture")]
    layout, random = lay_out(planned), np.random.default_rng(0)
    with (folder / FULL_WEIGHTS).open("wb") as file:
        file.write(layout.headers[FULL_WEIGHTS])
        left = layout.file_sizes[FULL_WEIGHTS] - file.tell()
        while left:
            values = (random.standard_normal(min(left // 2, 1 << 22), np.float32) * 0.02).view(np.uint32)
            left -= file.write((values >> 16).astype("<u2").tobytes())
    return folder


def restored(work: Path, source: Path, layout: str, runs: int) -> str:
    """A row: seconds and memory of the command, and how many times the floor that is."""
    out, size = work / "out", (source / FULL_WEIGHTS).stat().st_size
    command = [str(Path(sys.executable).with_name("lineal")), "merge", str(source), "--method", "passthrough"]
    command += ["--layout", layout, "--out", str(out), "--threads", _THREADS]
    floor = [sys.executable, str(Path(__file__).with_name("floor.py")), str(out), str(size), str(source / FULL_WEIGHTS)]
    ours, floors = [], []
    for run in range(runs):
        registry = {"LINEAL_REGISTRY": str(work / f"{layout}-{run}" / "registry.db")}
        ours.append(measure(command, work / "log", registry))
        shutil.rmtree(out)
        floors.append(measure(floor, work / "log"))
        out.unlink()
    found, least = median(ours), median(floors)
    return (
        f"| to {layout} | {found.seconds:.2f} s | {least.seconds:.2f} s | {found.seconds / least.seconds:.2f} "
        f"| {found.peak_bytes / 1e6:.0f} MB |"
    )


def second_hash(folder: Path, runs: int, *, cold: bool) -> str:
    """A row: two threads, and the bytes in the page cache, or on the disk alone."""
    alone, both = [], []
    specs = list(open_checkpoint(folder).values())
    for _ in range(runs):
        for seconds, work in ((alone, lambda: hash_tensors(specs)), (both, lambda: hash_folder(folder))):
            if cold:
                evict(folder / FULL_WEIGHTS)
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
    once, twice = statistics.median(alone), statistics.median(both)
    where = "on the disk" if cold else "in the page cache"
    return f"| {where} | {once:.3f} s | {twice:.3f} s | {twice / once:.2f} |"


def main() -> None:
    """Measure, and keep it on a page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=_RUNS)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as at:
        work = Path(at)
        published, fused = (write_mixture(work / name, fused=name == FUSED) for name in ("published", FUSED))
        rows = [restored(work, published, FUSED, runs), restored(work, fused, "published", runs)]
        hashes = [second_hash(fused, 2 * runs + 1, cold=cold) for cold in (False, True)]
    head = "| | lineal | floor | ratio | memory |\n|---|---|---|---|---|\n"
    hashing = "\n\n| fused, hashed | stored tensors | and published ones | ratio |\n|---|---|---|---|\n"
    measured = f"{sum(t.elements for t in tensors()):,} parameters.\n\n{head}" + "\n".join([*rows]) + hashing
    measured += "\n".join(hashes)
    print(measured)
    keep(_PAGE, _INTRODUCTION, measured)


if __name__ == "__main__":
    main()
