"""What quantizing a model cost: bits and bytes a tensor, and how far what is stored is from the weights."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

from lineal.checkpoint.content.identity import Leaf
from lineal.derivation.canonical import Json
from lineal.lineage.records.rounding import Rounding, combined
from lineal.shown import quoted

_PARTS = "stored_in"


@final
@dataclass(frozen=True)
class Stored:
    """Weights as they are stored, and what rounding cost them; of a tensor, or of all that were measured.

    parts: the tensors that hold them, where those are several.
    """

    weights: int
    stored_bytes: int
    rounding: Rounding
    parts: tuple[str, ...] = ()

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.stored_bytes / self.weights if self.weights else 0.0

    @property
    def mean_squared_error(self) -> float:
        finite = self.weights - self.rounding.nonfinite
        return self.rounding.squared_error / finite if finite else 0.0

    def to_json(self) -> dict[str, Json]:
        found = self.rounding
        parts: dict[str, Json] = {_PARTS: list(self.parts)} if self.parts else {}
        return {
            **parts,
            "weights": self.weights,
            "bytes": self.stored_bytes,
            "bits_per_weight": self.bits_per_weight,
            "squares": found.squares,
            "squared_error": found.squared_error,
            "mean_squared_error": self.mean_squared_error,
            "largest_error": found.largest_error,
            "sqnr_decibels": found.decibels,
            "outliers": found.outliers,
            "shifted_blocks": found.shifted_blocks,
            "nonfinite": found.nonfinite,
        }


@final
@dataclass(frozen=True)
class QuantizationReport:
    """tensors: those that were measured, (name, type) -> how they are stored, blocks in their order.

    copied: those that were taken as they were, of a GGUF that had the type already: nothing was rounded.
    """

    tensors: Mapping[tuple[str, str], Stored]
    copied: Stored = Stored(0, 0, Rounding())

    @cached_property
    def total(self) -> Stored:
        """Of all tensors, in their order."""
        return _together(self.tensors.values())

    @property
    def whole(self) -> Stored:
        """All that the model stores, with what was copied: what it takes, though only the measured have squares."""
        return _together((self.total, self.copied))

    @cached_property
    def rounded(self) -> Stored:
        """Of those that are not exact: norms are, and may be so large that beside them no error shows."""
        return _together(one for one in self.tensors.values() if one.rounding.squared_error)

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the weights, a line each."""
        found: list[str] = []
        shifted = [name for (name, _), one in self.tensors.items() if one.rounding.shifted_blocks]
        if shifted:
            blocks = self.total.rounding.shifted_blocks
            named = ", ".join(map(quoted, shifted[:3])) + ", ..." * (len(shifted) > 3)
            found.append(
                f"{blocks:,} blocks in {len(shifted)} tensors have values too small for their scale, and came out with "
                f"an error as large as the values, or larger: {named}"
            )
        if self.total.rounding.nonfinite:
            found.append(f"{self.total.rounding.nonfinite:,} weights are infinite or no number, and are not measured")
        return found

    def to_json(self) -> dict[str, Json]:
        tensors: dict[str, Json] = {
            name: {"type": dtype, **one.to_json()} for (name, dtype), one in self.tensors.items()
        }
        return {"total": self.total.to_json(), "rounded": self.rounded.to_json(), "tensors": tensors}


def _together(tensors: Iterable[Stored]) -> Stored:
    found = list(tensors)
    weights, stored_bytes = sum(one.weights for one in found), sum(one.stored_bytes for one in found)
    return Stored(weights, stored_bytes, combined(one.rounding for one in found))


def report_of(leaves: Iterable[Leaf], roundings: Mapping[str, Rounding]) -> QuantizationReport:
    """The report of a model with these tensors; one of a tensor that it does not have is refused with a ValueError."""
    known = {leaf.name: leaf for leaf in leaves}
    packed = [name for name, rounding in roundings.items() if rounding.weights]
    parts = _parts(known.values(), packed)
    of_weights = {name: tuple(parts[name] if one.weights else [known.get(name)]) for name, one in roundings.items()}
    found: dict[tuple[str, str], Stored] = {}
    for name, rounding in sorted(roundings.items(), key=lambda one: _in_order(one[0])):
        held = [leaf for leaf in of_weights[name] if leaf is not None]
        if not held:
            raise ValueError(f"rounding of {quoted(name)}, which the model does not have")
        stored = _stored(held, rounding)
        if max(rounding.outliers, rounding.shifted_blocks, rounding.nonfinite) > stored.weights:
            raise ValueError(f"rounding of {quoted(name)} counts more than its {stored.weights} weights")
        found[name, max(held, key=lambda leaf: leaf.byte_length).dtype] = stored
    measured = {leaf.name for held in of_weights.values() for leaf in held if leaf is not None}
    copied = [leaf for leaf in known.values() if leaf.name not in measured]
    return QuantizationReport(
        found, Stored(sum(leaf.elements for leaf in copied), sum(leaf.byte_length for leaf in copied), Rounding())
    )


def roundings_of(report: Mapping[str, Any]) -> dict[str, Rounding]:
    """What a report's JSON says of each tensor; KeyError, TypeError or ValueError where it is none."""
    names = ("squares", "squared_error", "largest_error", "outliers", "shifted_blocks", "nonfinite")
    return {
        name: Rounding(*(one[figure] for figure in names), weights=one["weights"] if _PARTS in one else 0)
        for name, one in report["tensors"].items()
    }


def _stored(held: Sequence[Leaf], rounding: Rounding) -> Stored:
    size = sum(leaf.byte_length for leaf in held)
    if not rounding.weights:
        return Stored(held[0].elements, size, rounding)
    if rounding.weights > 8 * size:
        raise ValueError(f"{rounding.weights} weights in {size} bytes of {quoted(held[0].name)}")
    return Stored(rounding.weights, size, rounding, tuple(leaf.name for leaf in held))


def _parts(leaves: Iterable[Leaf], weights: Collection[str]) -> Mapping[str, list[Leaf]]:
    """Of packed weights the tensors that they are in: x.weight, and all whose names go on with _ or . after it."""
    found: dict[str, list[Leaf]] = {name: [] for name in weights}
    for leaf in leaves if found else ():
        start = leaf.name.rfind(".weight") + len(".weight")
        whole = next((name for name in (leaf.name, leaf.name[:start]) if name in found), None)
        if whole is not None and leaf.name[len(whole) : len(whole) + 1] in {"", "_", "."}:
            found[whole].append(leaf)
    return found


def _in_order(name: str) -> list[tuple[int, int, str]]:
    """blk.2 before blk.10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]
