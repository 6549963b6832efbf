"""Packed children for tests: a Llama with rows of whole groups on disk, and its children."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import Model, full_model
from lineal.engines.quantize.packed_plan import plan_packed
from lineal.engines.stream.plan import StreamPlan
from lineal.methods.quantize.rtn import RoundToNearest
from tests.builders import Array, make_checkpoint
from tests.engines.quantizations import write
from tests.llamas import CONFIG, llama_tensors

WIDE = {**CONFIG, "hidden_size": 128, "intermediate_size": 256, "dtype": "bfloat16"}
UP, DOWN = "model.layers.0.mlp.up_proj", "model.layers.1.mlp.down_proj"


def wide_llama(folder: Path, dtype: Any = ml_dtypes.bfloat16, **changes: Any) -> Path:
    config = {**WIDE, **changes}
    return make_checkpoint(folder, wide_tensors(config, dtype), config)


def wide_tensors(config: Any = None, dtype: Any = ml_dtypes.bfloat16) -> dict[str, Array]:
    """Ordinary weights, a row of zeros, one far out, and a tiny one."""
    tensors = {name: 0.02 * one for name, one in llama_tensors(config or WIDE).items()}
    tensors[f"{UP}.weight"][3] = 0
    tensors[f"{UP}.weight"][5, 7] = 3
    tensors[f"{UP}.weight"][9] *= 1e-12
    return {name: one.astype(np.float32).astype(dtype) for name, one in tensors.items()}


def opened_model(folder: Path) -> Model:
    return full_model(folder.name, open_checkpoint(folder))


def planned(parent: Path, **options: Any) -> StreamPlan:
    method = RoundToNearest.from_options(options)
    return plan_packed(method, method, opened_model(parent))


def packed(parent: Path, out: Path, **options: Any) -> Path:
    write(planned(parent, **options), out)
    return out
