"""Rotary frequencies in a GGUF: its keys and tensors that say them, there and back."""

import math
from typing import Any

from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.decoded import decoded
from lineal.engines.gguf.rotary import LongRope, Rotary, RotaryRule
from lineal.errors import CheckpointError
from lineal.shown import quoted

DIVISORS, SHORT, LONG = "rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"
_BASE, _LOCAL_BASE = "rope.freq_base", "rope.freq_base_swa"
_KIND, _FACTOR = "rope.scaling.type", "rope.scaling.factor"
_ATTENTION, _ORIGINAL = "rope.scaling.attn_factor", "rope.scaling.original_context_length"


def rotary_keys(rotary: Rotary) -> dict[str, Value]:
    """The keys after the architecture's name."""
    reals: dict[str, float | None] = {_BASE: rotary.base, _LOCAL_BASE: rotary.local_base}
    kind = None
    if rotary.factor != 1:
        kind, reals[_FACTOR] = "linear", rotary.factor
    if rotary.yarn:
        kind, reals[_FACTOR] = "yarn", rotary.factor
    if rotary.long is not None:
        kind, reals[_ATTENTION] = "longrope", rotary.long.attention
    found = {key: Value(GGUFValueType.FLOAT32, real) for key, real in reals.items() if real is not None}
    if kind is not None:
        found[_KIND] = Value(GGUFValueType.STRING, kind)
    if rotary.original is not None:
        found[_ORIGINAL] = Value(GGUFValueType.UINT32, rotary.original)
    return found


def rotary_tensors(rotary: Rotary) -> dict[str, tuple[float, ...]]:
    """GGUF's name of each tensor that no model has, and its values."""
    if rotary.long is not None:
        return {LONG: rotary.long.long, SHORT: rotary.long.short}
    return {DIVISORS: rotary.divisors} if rotary.divisors else {}


def known_keys(rule: RotaryRule) -> set[str]:
    """The keys after the architecture's name that `rotary_of_gguf` understands."""
    found = {_BASE, _KIND, _FACTOR} | ({_LOCAL_BASE} if rule.local_base is not None else set())
    return found | ({_ATTENTION, _ORIGINAL} if rule.long else {_ORIGINAL} if "yarn" in rule.kinds else set())


def known_tensors(rule: RotaryRule) -> set[str]:
    """The tensors that it understands."""
    return {LONG, SHORT} if rule.long else {DIVISORS} if "llama3" in rule.kinds else set()


def rotary_of_gguf(checkpoint: Checkpoint, name: str, rule: RotaryRule, head_size: int, context: int) -> Rotary:
    """name: of the architecture; head_size, context: as the GGUF says them."""
    metadata, place = checkpoint.metadata, checkpoint.path
    kind = metadata[f"{name}.{_KIND}"].content if f"{name}.{_KIND}" in metadata else "none"
    scaled = {"linear", "yarn"} & {*rule.kinds}
    if kind not in {"none", *scaled, *(["longrope"] if rule.long else [])}:
        raise CheckpointError(f"{place}: rotary scaling {quoted(kind)} is not understood")
    rows = _real(checkpoint, f"{name}.rope.dimension_count", head_size)
    base = _real(checkpoint, f"{name}.{_BASE}", 10000.0)
    local = None if rule.local_base is None else _real(checkpoint, f"{name}.{_LOCAL_BASE}", rule.local_base)
    is_said = rule.original is not None or kind == "yarn"
    original = int(_real(checkpoint, f"{name}.{_ORIGINAL}", context)) if is_said else None
    factor = _real(checkpoint, f"{name}.{_FACTOR}", None) if kind in scaled else 1.0
    long = None
    if rule.long and LONG in checkpoint:
        attention = _real(checkpoint, f"{name}.{_ATTENTION}", 1.0)
        long = LongRope(_values(checkpoint, SHORT), _values(checkpoint, LONG), attention)
    divisors = _values(checkpoint, DIVISORS) if DIVISORS in known_tensors(rule) & checkpoint.keys() else ()
    return Rotary(base, factor, divisors, _share(int(rows), head_size), local, original, long, kind == "yarn")


def _share(rows: int, head_size: int) -> float:
    """Of a head's rows, such that transformers, which rounds down, turns as many."""
    share = rows / head_size
    return share if int(head_size * share) == rows else math.nextafter(share, math.inf)


def _values(checkpoint: Checkpoint, tensor: str) -> tuple[float, ...]:
    if tensor not in checkpoint:
        raise CheckpointError(f"{checkpoint.path}: has no {quoted(tensor)}")
    return tuple(float(value) for value in decoded(checkpoint, checkpoint[tensor]))


def _real(checkpoint: Checkpoint, key: str, otherwise: float | None) -> Any:
    """A positive number; otherwise: of a GGUF that does not have the key, None where it must."""
    value = checkpoint.metadata.get(key)
    found = otherwise if value is None else value.content
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        raise CheckpointError(f"{checkpoint.path}: {key} must be a positive number, got {quoted(found)}")
    return found
