"""The six kinds of derivation: the summary of a step that stands in the lineage."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

from lineal.derivation.canonical import Json
from lineal.derivation.hashes import check_hash, format_hash, parse_hash
from lineal.derivation.quantization import QuantizationType
from lineal.errors import DerivationError
from lineal.shown import quoted

SINGLE_PARENT_MERGES = frozenset({"adapter", "extract", "passthrough", "recipe", "slices", "unmerge"})
"""Merges that may be of one model: recipes, layer slices and operations on adapters."""


def _derived_field(value: tuple[bytes, ...] | None = None) -> Any:
    """A field that follows from the others: not passed in, not compared, not shown."""
    if value is None:
        return field(init=False, repr=False, compare=False)
    return field(init=False, repr=False, compare=False, default=value)


class Derivation(ABC):
    """What was done to make a model. Frozen, validated, equal by value, JSON there and back."""

    type_name: ClassVar[str]
    parent_hashes: tuple[bytes, ...]
    """The parents' model hashes, in order."""

    @property
    def is_derived(self) -> bool:
        """Whether it was made from other models: of all kinds but an original."""
        return bool(self.parent_hashes)

    @abstractmethod
    def to_json(self) -> dict[str, Json]:
        """The fields and `type`; hashes as `b3:` and hex."""


@final
@dataclass(frozen=True)
class Original(Derivation):
    """A model that has no parents: trained from scratch, or brought from elsewhere."""

    type_name: ClassVar[str] = "original"
    parent_hashes: tuple[bytes, ...] = _derived_field(())

    def to_json(self) -> dict[str, Json]:
        return {"type": self.type_name}


@final
@dataclass(frozen=True)
class FineTune(Derivation):
    type_name: ClassVar[str] = "fine-tune"
    parent_hash: bytes
    epochs: int
    parent_hashes: tuple[bytes, ...] = _derived_field()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_hashes", (check_hash(self.parent_hash),))
        if not _is_integer(self.epochs) or self.epochs < 1:
            raise DerivationError(f"fine-tune: epochs must be an integer of at least 1, got {quoted(self.epochs)}")

    def to_json(self) -> dict[str, Json]:
        return {"type": self.type_name, "parent_hash": format_hash(self.parent_hash), "epochs": self.epochs}


@final
@dataclass(frozen=True)
class Distillation(Derivation):
    """A student taught by one teacher, or by several in order (`teacher_hashes`, the first is `teacher_hash`)."""

    type_name: ClassVar[str] = "distillation"
    teacher_hash: bytes
    temperature: float
    teacher_hashes: tuple[bytes, ...] = ()
    parent_hashes: tuple[bytes, ...] = _derived_field()

    def __post_init__(self) -> None:
        teachers = tuple(self.teacher_hashes) or (self.teacher_hash,)
        if teachers[0] != self.teacher_hash:
            raise DerivationError("distillation: teacher_hash must be the first of teacher_hashes")
        for teacher in teachers:
            check_hash(teacher)
        if not _is_number(self.temperature) or not math.isfinite(self.temperature) or self.temperature <= 0:
            raise DerivationError(
                f"distillation: temperature must be finite and above 0, got {quoted(self.temperature)}"
            )
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "teacher_hashes", teachers)
        object.__setattr__(self, "parent_hashes", teachers)

    def to_json(self) -> dict[str, Json]:
        teachers: dict[str, Json] = (
            {"teacher_hash": format_hash(self.teacher_hash)}
            if len(self.teacher_hashes) == 1
            else {"teacher_hashes": [format_hash(teacher) for teacher in self.teacher_hashes]}
        )
        return {"type": self.type_name, **teachers, "temperature": self.temperature}


@final
@dataclass(frozen=True)
class Merge(Derivation):
    """Models combined into one; the base, where the merge has one, is a parent like the others."""

    type_name: ClassVar[str] = "merge"
    parent_hashes: tuple[bytes, ...]
    method: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_hashes", tuple(check_hash(parent) for parent in self.parent_hashes))
        if not isinstance(self.method, str) or not self.method:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DerivationError(f"merge: the method is empty or not a name: {quoted(self.method)}")
        needed = 1 if self.method in SINGLE_PARENT_MERGES else 2
        if len(self.parent_hashes) < needed:
            raise DerivationError(f"merge: {self.method} needs {needed} parents, got {len(self.parent_hashes)}")

    def to_json(self) -> dict[str, Json]:
        parents: list[Json] = [format_hash(parent) for parent in self.parent_hashes]
        return {"type": self.type_name, "parent_hashes": parents, "method": self.method}


@final
@dataclass(frozen=True)
class Quantize(Derivation):
    type_name: ClassVar[str] = "quantize"
    parent_hash: bytes
    quant_type: QuantizationType
    parent_hashes: tuple[bytes, ...] = _derived_field()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_hashes", (check_hash(self.parent_hash),))
        if not isinstance(self.quant_type, QuantizationType):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DerivationError(f"quantize: quant_type must be a QuantizationType, got {quoted(self.quant_type)}")

    def to_json(self) -> dict[str, Json]:
        parent = format_hash(self.parent_hash)
        return {"type": self.type_name, "parent_hash": parent, "quant_type": str(self.quant_type.value)}


@final
@dataclass(frozen=True)
class Prune(Derivation):
    type_name: ClassVar[str] = "prune"
    parent_hash: bytes
    sparsity: float
    parent_hashes: tuple[bytes, ...] = _derived_field()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_hashes", (check_hash(self.parent_hash),))
        if not _is_number(self.sparsity) or not 0 <= self.sparsity < 1:
            raise DerivationError(f"prune: sparsity must be in [0, 1), got {quoted(self.sparsity)}")
        object.__setattr__(self, "sparsity", float(self.sparsity))

    def to_json(self) -> dict[str, Json]:
        return {"type": self.type_name, "parent_hash": format_hash(self.parent_hash), "sparsity": self.sparsity}


def derivation_from_json(record: object) -> Derivation:
    """The derivation that `to_json` wrote; anything else is refused, naming what is wrong."""
    if not isinstance(record, Mapping) or not isinstance(record.get("type"), str):
        raise DerivationError(f"not a derivation: {quoted(record)}")
    fields: dict[str, Any] = {str(key): value for key, value in record.items() if key != "type"}
    kind = str(record["type"])
    if kind not in _READERS:
        raise DerivationError(f"unknown derivation type {quoted(kind)} (known: {', '.join(_READERS)})")
    try:
        return _READERS[kind](**fields)
    except TypeError as error:
        raise DerivationError(f"{kind}: the fields {sorted(fields)} do not fit: {error}") from None


def _read_distillation(
    *, temperature: float, teacher_hash: str | None = None, teacher_hashes: list[str] | None = None
) -> Distillation:
    if (teacher_hash is None) == (not teacher_hashes):
        raise DerivationError("distillation: either teacher_hash or teacher_hashes is needed")
    teachers = tuple(parse_hash(text) for text in teacher_hashes or [teacher_hash])
    return Distillation(teachers[0], temperature, teachers)


def _read_merge(*, parent_hashes: list[str], method: str) -> Merge:
    return Merge(tuple(parse_hash(text) for text in parent_hashes), method)


def _read_fine_tune(*, parent_hash: str, epochs: int) -> FineTune:
    return FineTune(parse_hash(parent_hash), epochs)


def _read_quantize(*, parent_hash: str, quant_type: str) -> Quantize:
    return Quantize(parse_hash(parent_hash), QuantizationType.named(quant_type))


def _read_prune(*, parent_hash: str, sparsity: float) -> Prune:
    return Prune(parse_hash(parent_hash), sparsity)


_READERS = {
    "original": Original,
    "fine-tune": _read_fine_tune,
    "distillation": _read_distillation,
    "merge": _read_merge,
    "quantize": _read_quantize,
    "prune": _read_prune,
}


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
