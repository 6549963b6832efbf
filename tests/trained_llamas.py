"""Llamas as training leaves them, made by numpy: trained apart, fine-tuned, adapted, pruned and quantized."""

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from tests.builders import Array
from tests.llamas import CONFIG, llama_tensors

Tensors = dict[str, Array]
TOKENS = np.random.default_rng(11).standard_normal((400, 6)) * [3, 2, 1.5, 1, 0.7, 0.5]
"""What is known of each token, whichever model learns it: models of one text agree in this."""


def trained_like(seed: int, **changes: Any) -> Tensors:
    """A Llama as training leaves one: a few strong directions over noise, embeddings that follow the tokens."""
    generator = np.random.default_rng(seed)
    return {
        name: _trained(name, values.shape, generator).astype(np.float32)
        for name, values in llama_tensors({**CONFIG, **changes}, seed).items()
    }


def _trained(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    if len(shape) == 1:
        return 1 + 0.1 * generator.standard_normal(shape)
    rows, columns = shape
    if rows == CONFIG["vocab_size"]:
        meaning = TOKENS[:rows] @ generator.standard_normal((6, columns)) / 2
        return 0.02 * (meaning + generator.standard_normal(shape) + generator.standard_normal(columns))
    strong = (generator.standard_normal((rows, 6)) * [5, 3, 2, 2, 1, 1]) @ generator.standard_normal((6, columns))
    return 0.02 * (generator.standard_normal(shape) + strong / np.sqrt(6))


def tuned(parent: Mapping[str, Array], seed: int, share: float = 0.05) -> Tensors:
    """A fine-tune of everything: a change as strong as a share of each tensor.

    A half of it is everywhere, a quarter in a few directions, and a quarter is common to all fine-tunes.
    """
    own, common = np.random.default_rng(seed), np.random.default_rng(0)

    def change(shape: tuple[int, ...]) -> Array:
        if len(shape) == 1:
            return 0.1 * own.standard_normal(shape)
        few = own.standard_normal((shape[0], 4)) @ own.standard_normal((4, shape[1])) / 2
        return np.sqrt(0.5) * own.standard_normal(shape) + 0.5 * few + 0.5 * common.standard_normal(shape)

    return {name: (x + share * x.std() * change(x.shape)).astype(np.float32) for name, x in parent.items()}


def with_lora(parent: Mapping[str, Array], seed: int, rank: int, *parts: str) -> Tensors:
    """An update of a low rank made part of some linear layers."""
    generator, found = np.random.default_rng(seed), dict(parent)
    for name in parent:
        if any(part in name for part in parts):
            rows, columns = parent[name].shape
            update = generator.standard_normal((rows, rank)) @ generator.standard_normal((rank, columns))
            found[name] = (parent[name] + 0.03 * parent[name].std() * update).astype(np.float32)
    return found


def linear(tensors: Mapping[str, Array], do: Callable[[Array], Array]) -> Tensors:
    return {name: do(x).astype(x.dtype) if "_proj" in name else x for name, x in tensors.items()}


def on_integers(levels: int, group: int = 0) -> Callable[[Array], Array]:
    """Rounded to the nearest of so many levels on either side of zero, each row or group with its own scale."""

    def rounded(x: Array) -> Array:
        grouped = x.reshape(-1, group or x.shape[-1])
        step = np.abs(grouped).max(axis=1, keepdims=True) / levels
        return (np.round(grouped / step) * step).reshape(x.shape)

    return rounded


def on_float8(x: Array) -> Array:
    scale = np.abs(x).max() / 448
    return (x / scale).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) * scale


def two_of_four(x: Array) -> Array:
    groups = x.reshape(-1, 4)
    small = np.argsort(np.abs(groups), axis=1)[:, :2]
    kept = groups.copy()
    np.put_along_axis(kept, small, 0, axis=1)
    return kept.reshape(x.shape)


def as_dtype(tensors: Mapping[str, Array], dtype: Any) -> Tensors:
    return {name: x.astype(dtype) for name, x in tensors.items()}
