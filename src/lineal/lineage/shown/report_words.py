"""A quantization's report in a few words: what it takes, how far it is from the weights, and where most."""

from collections.abc import Iterable
from typing import NamedTuple

from lineal.lineage.records.quantization_report import QuantizationReport, Stored
from lineal.lineage.records.wording import size
from lineal.shown import printable

_WORST = 3


class Worst(NamedTuple):
    name: str
    dtype: str
    decibels: float


def headline(report: QuantizationReport) -> str:
    outliers = report.total.rounding.outliers
    counted = f", {outliers:,} outlier{'s' * (outliers != 1)}" if outliers else ""
    return f"{taken(report.whole)}, {closeness(report.rounded)}{counted}"


def taken(total: Stored, parent_bytes: int | None = None) -> str:
    """parent_bytes: of what it was made from, for the share that is left."""
    share = f", {total.stored_bytes / parent_bytes:.3g} of its parent" if parent_bytes else ""
    return f"{total.bits_per_weight:.4g} bits a weight, {size(total.stored_bytes)}{share}"


def closeness(stored: Stored) -> str:
    """Its signal-to-quantization-noise ratio and largest error."""
    if not stored.rounding.squared_error:
        return "every weight exact"
    return f"{decibels(stored)}, largest error {stored.rounding.largest_error:.3g}"


def decibels(stored: Stored) -> str:
    found = stored.rounding.decibels
    return "SQNR not defined" if found is None else f"SQNR {found:.2f} dB"


def worst(report: QuantizationReport, most: int = _WORST) -> list[Worst]:
    """The tensors with the lowest ratios, the lowest first; those that are exact have none."""
    found: Iterable[Worst] = (
        Worst(printable(name), dtype, ratio)
        for (name, dtype), one in report.tensors.items()
        if (ratio := one.rounding.decibels) is not None
    )
    return sorted(found, key=lambda one: one.decibels)[:most]
