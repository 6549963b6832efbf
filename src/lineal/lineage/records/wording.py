"""Figures and steps in the few words that fit on a card or a line."""

from collections.abc import Mapping

from lineal.derivation.canonical import Json
from lineal.derivation.step import Step
from lineal.shown import printable

_SCALES = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_BYTE_SCALES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))

_TELLING_OPTIONS: Mapping[str, str] = {
    "rank": "r={:g}",
    "density": "density {:g}",
    "t": "t={:g}",
    "temperature": "T={:g}",
    "layers": "{:g} layers",
    "sparsity": "{:.0%} sparse",
    "bits_per_weight": "{:g} bits a weight",
}
"""The options by which people tell two runs of a method apart, and how they say them."""


def count(number: int) -> str:
    """1234567 is 1.23 M."""
    return _scaled(number, _SCALES, "")


def size(number_of_bytes: int) -> str:
    """5200000 is 5.2 MB: powers of ten, as disks and hubs count."""
    return _scaled(number_of_bytes, _BYTE_SCALES, "bytes")


def figure(number: float) -> str:
    """A metric such as a perplexity, as precise as its size asks for: 9.87, 35.0, 1,234."""
    return f"{number:,.{2 if number < 10 else 1 if number < 1000 else 0}f}"


def summary(step: Step) -> str:
    """What made a model: `lora r=16`, `ties density 0.2`, `q4_k_m`."""
    if step.type == "original":
        return "trained from scratch" if step.data else "original"
    told = [
        said.format(value)
        for option, said in _TELLING_OPTIONS.items()
        if isinstance(value := step.options.get(option), int | float)
    ]
    epochs = step.options.get("epochs")
    if isinstance(epochs, int) and epochs > 1:
        told.append(f"{epochs} epochs")
    ingredients = step.options.get("ingredients")
    if isinstance(ingredients, list):
        told.append(f"{len(ingredients)} of {sum(i.role != 'base' for i in step.inputs)} models")
    method = str(step.options.get("scheme", step.method))
    if step.method == "recipe":
        told.append(_parts(step.options.get("parts")))
        method = str(step.options.get("method"))
    return printable(" ".join(part for part in (method, ", ".join(told)) if part))


def _parts(parts: Json) -> str:
    """How a recipe differs from its method alone."""
    return f"{len(parts)} slices" if isinstance(parts, list) and len(parts) > 1 else "by recipe"


def _scaled(number: int, scales: tuple[tuple[int, str], ...], unit: str) -> str:
    for scale, suffix in scales:
        if number >= scale:
            return f"{number / scale:.3g} {suffix}" if number < 999.5 * scale else f"{number / scale:.0f} {suffix}"
    return f"{number} {unit}".strip()
