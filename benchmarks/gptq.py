"""GPTQ of one block of a Llama of 1 B parameters, beside its own matrix products and Cholesky decompositions alone.

Usage: gptq.py [RUNS]. Hidden 2048, 8 key-value heads of 64, 8192 in between; 128 samples of 512 tokens, which stand in
memory. Four inputs are shared by seven layers, so there are four second moments. In turns, two threads, medians.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from history import keep

from lineal.methods.input_statistics import SecondMoment
from lineal.methods.quantize.feedback import feedback
from lineal.methods.quantize.gptq import gptq
from lineal.methods.quantize.grid import Grid

_TOKENS, _PORTION, _BLOCK = 128 * 512, 2048, 128
_WIDTH, _KEYS, _BETWEEN = 2048, 512, 8192
_INTRODUCTION = """
# GPTQ of one block of a Llama of 1 B parameters

`make bench-quantize`: the seven layers of a block (hidden 2048, 8 key-value heads of 64, 8192 in between) in 4
bits, groups of 128, columns in the order of their moments, beside the matrix products and the Cholesky
decompositions that this cannot do without: the same sums of 128 x 512 inputs' second moments, four of them, and
the products that carry errors over to the columns behind a block. Running the block, which both would need, is
in neither. In turns, two threads.
"""


@final
@dataclass(frozen=True)
class Shared:
    """Layers with the same inputs. portion: of the inputs, again and again; weights: [rows, columns] each."""

    portion: Any
    weights: list[Any]


def block() -> list[Shared]:
    """Inputs that depend on each other, some larger than others, as a model's are."""
    random = np.random.default_rng(0)

    def shared(columns: int, rows: list[int]) -> Shared:
        mixed = random.standard_normal((_PORTION, 256)) @ random.standard_normal((256, columns)) / 16
        sizes = np.exp(0.5 * random.standard_normal(columns))
        portion = ((mixed + random.standard_normal((_PORTION, columns))) * sizes).astype(np.float32)
        return Shared(portion, [(0.02 * random.standard_normal((n, columns))).astype(np.float32) for n in rows])

    return [
        shared(_WIDTH, [_WIDTH, _KEYS, _KEYS]),
        shared(_WIDTH, [_WIDTH]),
        shared(_WIDTH, [_BETWEEN, _BETWEEN]),
        shared(_BETWEEN, [_WIDTH]),
    ]


def moments(layers: list[Shared]) -> list[Any]:
    found: list[Any] = []
    for one in layers:
        moment = SecondMoment(one.portion.shape[1])
        for _ in range(_TOKENS // _PORTION):
            moment.add(one.portion)
        found.append(moment.matrix())
    return found


def whole(layers: list[Shared], grid: Grid) -> None:
    for one, moment in zip(layers, moments(layers), strict=True):
        by = feedback(moment, act_order=True)
        for weight in one.weights:
            gptq(weight, by, grid)


def products(layers: list[Shared]) -> None:
    """The same sums of products, decompositions, and products that carry errors over to the columns behind a block."""
    for one, moment in zip(layers, moments(layers), strict=True):
        columns = len(moment)
        np.einsum("ii->i", moment)[...] += 0.01 * moment.diagonal().mean()
        factor = torch.linalg.cholesky(torch.from_numpy(moment))
        for weight in one.weights:
            values = torch.from_numpy(weight.copy())
            for end in range(_BLOCK, columns, _BLOCK):
                values[:, end:].addmm_(values[:, end - _BLOCK : end], factor[:_BLOCK, : columns - end])


def alone(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(2)
    runs, layers, grid = int(sys.argv[1]) if len(sys.argv) > 1 else 3, block(), Grid(4, True, 128)
    taken: dict[str, list[float]] = {"whole": [], "products and Cholesky": []}
    for _ in range(runs):
        taken["whole"].append(alone(lambda: whole(layers, grid)))
        taken["products and Cholesky"].append(alone(lambda: products(layers)))
    lines = ["| whole s | products and Cholesky s | ratio |", "|---|---|---|"]
    lines += [f"| {a:.1f} | {b:.1f} | {a / b:.2f} |" for a, b in zip(*taken.values(), strict=True)]
    lines.append(f"\nMedian ratio: {statistics.median(a / b for a, b in zip(*taken.values(), strict=True)):.2f}")
    print("\n".join(lines))
    keep(Path(__file__).with_name("GPTQ.md"), _INTRODUCTION, "\n".join(lines))


if __name__ == "__main__":
    main()
