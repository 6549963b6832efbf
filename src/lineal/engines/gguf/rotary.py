"""Rotary position embeddings: what a config says of their frequencies, as a GGUF has it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, cast, final

from lineal.shown import quoted

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "yarn": ("factor", "original_max_position_embeddings"),
    "longrope": (),
}
_YARN: Mapping[str, tuple[Any, ...]] = {
    "beta_fast": (None, 32),
    "beta_slow": (None, 1),
    "truncate": (None, True),
    **dict.fromkeys(("mscale", "mscale_all_dim", "attention_factor"), (None,)),
}
"""What llama.cpp takes for granted of it."""
_DIGITS = 40
_PI = Decimal("3.1415926535897932384626433832795028841972")


@final
@dataclass(frozen=True)
class RotaryRule:
    """What an architecture can say of its frequencies.

    kinds: of scaling; base, local_base: where a config is silent, the second of the layers with a window, where they
    have another; original: the positions of the first training, where a config may say them; long: a divisor a pair
    for short texts and another for long ones, else one for both.
    """

    kinds: tuple[str, ...]
    base: float = 10000.0
    local_base: float | None = None
    partial: bool = False
    original: int | None = None
    long: bool = False


PLAIN = RotaryRule(("default", "linear"))
YARN = RotaryRule((*PLAIN.kinds, "yarn"))
LLAMA = RotaryRule(("default", "linear", "llama3", "longrope"))


@final
@dataclass(frozen=True)
class LongRope:
    """Divisors, one a pair, of texts up to the positions of the first training, and of longer ones.

    attention: what cosines and sines are multiplied by.
    """

    short: tuple[float, ...]
    long: tuple[float, ...]
    attention: float


@final
@dataclass(frozen=True)
class Rotary:
    """Pair i of a head turns by base^(-2 i / head_size) a position, divided by `factor` and by its own divisor.

    divisors: one a pair; none means 1 each; share: of the rows of a head that are turned; local_base: of layers with a
    window; original: positions of the first training; long: divisors that depend on the length of the text; yarn: the
    factor is for slow pairs alone, those that turn at most once in `original` positions, and grows from fast ones on.
    """

    base: float
    factor: float = 1.0
    divisors: tuple[float, ...] = ()
    share: float = 1.0
    local_base: float | None = None
    original: int | None = None
    long: LongRope | None = None
    yarn: bool = False


def rotary_faults(config: Mapping[str, Any], rule: RotaryRule = LLAMA, who: str = "llama.cpp") -> Iterator[str]:
    """What `rotary_of` could not say of this config. who: what cannot, for messages."""
    scaling = _scaling(config, rule)
    kind = scaling["rope_type"]
    if kind not in rule.kinds:
        yield f"rope_scaling {quoted(kind)} is not supported (supported: {', '.join(rule.kinds)})"
        return
    for key in ("rope_theta", *_NEEDED[kind]):
        if not _is_positive(scaling.get(key)):
            yield f"rope_scaling {quoted(kind)} needs a positive {key}, got {quoted(scaling.get(key))}"
    share = scaling.get("partial_rotary_factor", 1)
    if not rule.partial and share != 1:
        yield f"partial_rotary_factor is {quoted(share)}; {who} turns whole heads"
    elif not _is_positive(share) or share > 1:
        yield f"partial_rotary_factor must be in (0, 1], got {quoted(share)}"
    if kind == "llama3" and scaling.get("low_freq_factor") == scaling.get("high_freq_factor"):
        yield "rope_scaling 'llama3' needs a low_freq_factor and a high_freq_factor that differ"
    if kind == "yarn":
        yield from _yarn_faults(scaling, who)
    if kind == "longrope":
        yield from _longrope_faults(scaling, rule)
    yield from _original_faults(config, scaling, rule)
    yield from _local_faults(config, rule)


def _yarn_faults(scaling: Mapping[str, Any], who: str) -> Iterator[str]:
    for key, known in _YARN.items():
        if scaling.get(key) not in known:
            yield f"rope_scaling 'yarn' has {key} {quoted(scaling[key])}; {who} has {quoted(known[-1])}"


def _original_faults(config: Mapping[str, Any], scaling: Mapping[str, Any], rule: RotaryRule) -> Iterator[str]:
    if rule.original is not None or scaling["rope_type"] == "yarn":
        first = _original(config, scaling, rule)
        if type(first) is not int or first < 2:
            yield f"original_max_position_embeddings must be a whole number above 1, got {quoted(first)}"


def _longrope_faults(scaling: Mapping[str, Any], rule: RotaryRule) -> Iterator[str]:
    for key in ("short_factor", "long_factor"):
        if not isinstance(scaling.get(key), list) or not all(map(_is_positive, scaling[key])):
            yield f"rope_scaling 'longrope' needs a {key} for each pair, got {quoted(scaling.get(key))}"
            return
    for key in ("attention_factor", "factor"):
        if scaling.get(key) is not None and not _is_positive(scaling[key]):
            yield f"rope_scaling 'longrope' needs a positive {key}, got {quoted(scaling[key])}"
    if rule.long:
        return
    if scaling["short_factor"] != scaling["long_factor"] or scaling.get("attention_factor") != 1:
        yield "rope_scaling 'longrope' has other factors for long texts than for short ones, or an attention_factor"


def _local_faults(config: Mapping[str, Any], rule: RotaryRule) -> Iterator[str]:
    local = _local(config, rule) if rule.local_base is not None else None
    if local is None:
        return
    if local["rope_type"] != "default":
        yield f"rope_scaling {quoted(local['rope_type'])} of layers with a window has no place in a GGUF"
    if not _is_positive(local["rope_theta"]):
        yield f"rope_theta of layers with a window must be positive, got {quoted(local['rope_theta'])}"


def rotary_of(config: Mapping[str, Any], head_size: int, rule: RotaryRule = LLAMA, context: int = 0) -> Rotary:
    """The frequencies of a config without faults. context: its positions."""
    scaling = _scaling(config, rule)
    base, share = float(scaling["rope_theta"]), float(scaling.get("partial_rotary_factor", 1))
    local = float(_local(config, rule)["rope_theta"]) if rule.local_base is not None else None
    original = None if rule.original is None else _original(config, scaling, rule)
    match scaling["rope_type"]:
        case "linear":
            return Rotary(base, float(scaling["factor"]), share=share, local_base=local, original=original)
        case "yarn":
            return Rotary(base, float(scaling["factor"]), original=_original(config, scaling, rule), yarn=True)
        case "llama3":
            return Rotary(base, divisors=_llama3_divisors(scaling, head_size))
        case "longrope" if rule.long:
            return Rotary(base, share=share, original=original, long=_long(scaling, context, cast(int, original)))
        case "longrope":
            return Rotary(base, divisors=_floats(scaling["short_factor"]))
        case _:
            return Rotary(base, share=share, local_base=local, original=original)


def rotary_config(rotary: Rotary, context: int, rule: RotaryRule) -> dict[str, Any]:
    """The keys of a config.json that say these frequencies."""
    rope: dict[str, Any] = {"rope_theta": rotary.base, "rope_type": "default"}
    if rotary.factor != 1:
        rope |= {"rope_type": "linear", "factor": rotary.factor}
    if rotary.divisors:  # longrope is how transformers takes a divisor for every pair
        divisors = [rotary.factor * divisor for divisor in rotary.divisors]
        rope |= {"rope_type": "longrope", "short_factor": divisors, "long_factor": divisors}
        rope |= {"attention_factor": 1.0, "original_max_position_embeddings": context}
    if rotary.long is not None:
        rope |= {"rope_type": "longrope", "attention_factor": rotary.long.attention}
        rope |= {"short_factor": list(rotary.long.short), "long_factor": list(rotary.long.long)}
        rope |= {"original_max_position_embeddings": rotary.original}
    if rotary.yarn:
        rope |= {"rope_type": "yarn", "factor": rotary.factor, "original_max_position_embeddings": rotary.original}
    if rule.partial:
        rope["partial_rotary_factor"] = rotary.share
    first = {} if rule.original is None else {"original_max_position_embeddings": rotary.original}
    if rotary.local_base is None:
        return {"rope_parameters": rope, **first}
    local = {"rope_theta": rotary.local_base, "rope_type": "default"}
    return {"rope_parameters": {"full_attention": rope, "sliding_attention": local}}


def _scaling(config: Mapping[str, Any], rule: RotaryRule) -> dict[str, Any]:
    """transformers 5 keeps everything in rope_parameters; 4 had rope_theta beside rope_scaling."""
    found = cast(Mapping[str, Any], config.get("rope_parameters") or config.get("rope_scaling") or {})
    if rule.local_base is not None:
        found = {**_table(found.get("full_attention")), **_table(config.get("rope_scaling"))}
    kind = found.get("rope_type", found.get("type", "default"))
    partial = config.get("partial_rotary_factor", 1)
    base = config.get("rope_theta", rule.base)
    if rule.long and kind in ("su", "yarn"):  # as transformers reads the first configs of Phi-3
        kind = "longrope"
    return {"rope_theta": base, "partial_rotary_factor": partial, **found, "rope_type": kind}


def _local(config: Mapping[str, Any], rule: RotaryRule) -> dict[str, Any]:
    """Of layers with a window, which older configs say in a key of its own."""
    found = _table(_table(config.get("rope_parameters")).get("sliding_attention"))
    base = config.get("rope_local_base_freq", rule.local_base)
    return {"rope_theta": base, **found, "rope_type": found.get("rope_type", "default")}


def _table(value: Any) -> Mapping[str, Any]:
    """A mapping; an empty one in place of what transformers could not read either."""
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def _original(config: Mapping[str, Any], scaling: Mapping[str, Any], rule: RotaryRule) -> Any:
    found = config.get("original_max_position_embeddings")
    return scaling.get("original_max_position_embeddings", rule.original) if found is None else found


def _long(scaling: Mapping[str, Any], context: int, original: int) -> LongRope:
    """The factor of attention is transformers', in decimal arithmetic, which is the same everywhere."""
    attention = scaling.get("attention_factor")
    if attention is None:
        with localcontext(prec=_DIGITS):
            ratio = Decimal(scaling.get("factor") or 0) or Decimal(context) / original
            attention = 1.0 if ratio <= 1 else float((1 + ratio.ln() / Decimal(original).ln()).sqrt())
    return LongRope(_floats(scaling["short_factor"]), _floats(scaling["long_factor"]), float(attention))


def _floats(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(map(float, values))


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
