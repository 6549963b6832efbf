"""Makes torch give the same bytes on repetition: the generators seeded, only deterministic kernels."""

import os
import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

_memory: Any = torch.utils.deterministic


@contextmanager
def deterministic(seed: int) -> Generator[None]:
    """Seeded inside; outside, the global generators and settings are as if nothing had been drawn."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it once, before its first product
    states = random.getstate(), torch.get_rng_state()
    kernels = torch.are_deterministic_algorithms_enabled()
    filled = _memory.fill_uninitialized_memory
    try:
        random.seed(seed)
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        _memory.fill_uninitialized_memory = False  # a debugging aid that costs a pass over memory
        yield
    finally:
        torch.use_deterministic_algorithms(kernels)
        _memory.fill_uninitialized_memory = filled
        random.setstate(states[0])
        torch.set_rng_state(states[1])
