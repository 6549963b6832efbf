"""Rows of weights, and what each of their columns counts, that are the same wherever they are made."""

from typing import Any

import numpy as np
from blake3 import blake3

COLUMNS = 4096


def bell(name: str, count: int) -> Any:
    """Values near a normal distribution's, by whole numbers alone."""
    words = np.frombuffer(blake3(name.encode()).digest(length=16 * count), "<u4").reshape(count, 4)
    return ((words.astype(np.int64).sum(1) - (1 << 33)) / (1 << 31)).astype(np.float32)


def sample_rows() -> Any:
    """Several scales, outliers, constants, zeros, and values rounded to shorter types."""
    values = bell("values", 10 * COLUMNS).reshape(10, COLUMNS)
    rows = [values[i] * np.float32(scale) for i, scale in enumerate((1, 0.02, 1e-3, 1e-5, 1e-16))]
    heavy = values[5] * np.float32(0.02)
    heavy[::97] *= np.float32(50)
    short = (values[6] * np.float32(0.02)).view(np.uint32) & np.uint32(0xFFFF0000)
    rows += [heavy, short.view(np.float32), values[7].astype(np.float16).astype(np.float32)]
    rows += [np.full(COLUMNS, np.float32(0.37)), np.full(COLUMNS, np.float32(-0.11)), np.zeros(COLUMNS, np.float32)]
    rows += [abs(values[8]), -abs(values[9]) * np.float32(0.02)]
    return np.stack(rows).astype(np.float32)


def sample_importance() -> Any:
    """Some columns count for nothing."""
    values = bell("importance", COLUMNS)
    return np.where(np.arange(COLUMNS) % 13 == 5, np.float32(0), values * values * np.float32(3)).astype(np.float32)
