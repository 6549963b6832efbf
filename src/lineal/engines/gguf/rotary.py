"""Rotary position embeddings: what a config says of their frequencies, as a GGUF has it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, cast, final

from lineal.shown import quoted

KINDS = ("default", "linear", "llama3")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}
_BASE = 10000.0
_DIGITS = 40
_PI = Decimal("3.1415926535897932384626433832795028841972")


@final
@dataclass(frozen=True)
class Rotary:
    """Pair i of a head turns by base^(-2 i / head_size) a position, divided by `factor` and by its own divisor.

    divisors: one a pair; none means 1 each.
    """

    base: float
    factor: float = 1.0
    divisors: tuple[float, ...] = ()


def rotary_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """What `rotary_of` could not say of this config."""
    scaling = _scaling(config)
    kind = scaling["rope_type"]
    if kind not in KINDS:
        yield f"rope_scaling {quoted(kind)} is not supported (supported: {', '.join(KINDS)})"
        return
    for key in ("rope_theta", *_NEEDED[kind]):
        if not _is_positive(scaling.get(key)):
            yield f"rope_scaling {quoted(kind)} needs a positive {key}, got {quoted(scaling.get(key))}"
    if scaling.get("partial_rotary_factor", 1) != 1:
        yield f"partial_rotary_factor is {quoted(scaling['partial_rotary_factor'])}; a Llama turns whole heads"
    if kind == "llama3" and scaling.get("low_freq_factor") == scaling.get("high_freq_factor"):
        yield "rope_scaling 'llama3' needs a low_freq_factor and a high_freq_factor that differ"


def rotary_of(config: Mapping[str, Any], head_size: int) -> Rotary:
    """The frequencies of a config without faults."""
    scaling = _scaling(config)
    base = float(scaling["rope_theta"])
    match scaling["rope_type"]:
        case "linear":
            return Rotary(base, factor=float(scaling["factor"]))
        case "llama3":
            return Rotary(base, divisors=_llama3_divisors(scaling, head_size))
        case _:
            return Rotary(base)


def _scaling(config: Mapping[str, Any]) -> dict[str, Any]:
    """transformers 5 keeps everything in rope_parameters; 4 had rope_theta beside rope_scaling."""
    found = cast(Mapping[str, Any], config.get("rope_parameters") or config.get("rope_scaling") or {})
    kind = found.get("rope_type", found.get("type", "default"))
    partial = config.get("partial_rotary_factor", 1)
    base = config.get("rope_theta", _BASE)
    return {"rope_theta": base, "partial_rotary_factor": partial, **found, "rope_type": kind}


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _llama3_divisors(scaling: Mapping[str, Any], head_size: int) -> tuple[float, ...]:
    """Long waves are stretched by `factor`, short ones left alone, those between interpolated.

    In decimal arithmetic, which is the same everywhere; transformers computes it in float32 with the platform's power.
    """
    base, factor, low, high, context = (Decimal(scaling[key]) for key in ("rope_theta", *_NEEDED["llama3"]))
    divisors: list[float] = []
    with localcontext(prec=_DIGITS):
        for i in range(0, head_size, 2):
            wavelength = 2 * _PI * base ** (Decimal(i) / head_size)
            smooth = (context / wavelength - low) / (high - low)
            if context > high * wavelength:
                divisors.append(1.0)
            elif context < low * wavelength:
                divisors.append(float(factor))
            else:
                divisors.append(float(1 / ((1 - smooth) / factor + smooth)))
    return tuple(divisors)
