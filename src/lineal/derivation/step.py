"""The full record of one derivation, and the id that its canonical JSON hashes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, final

from blake3 import blake3

from lineal.derivation.canonical import Json, canonical_json, exact
from lineal.derivation.hashes import check_hash, format_hash, parse_hash
from lineal.derivation.kinds import Derivation, Distillation, FineTune, Merge, Original, Prune, Quantize
from lineal.derivation.quantization import QuantizationType
from lineal.errors import DerivationError
from lineal.shown import quoted

Kind = Literal["original", "fine-tune", "distillation", "merge", "quantize", "prune"]
Role = Literal["base", "parent", "teacher", "student", "adapter"]

KINDS: tuple[Kind, ...] = ("original", "fine-tune", "distillation", "merge", "quantize", "prune")
ROLES: tuple[Role, ...] = ("base", "parent", "teacher", "student", "adapter")

_ID_CONTEXT = b"lineal.step.1"


@final
@dataclass(frozen=True)
class Input:
    """A model that went into a step, and as what."""

    role: Role
    model_hash: bytes

    def __post_init__(self) -> None:
        check_hash(self.model_hash)
        if self.role not in ROLES:
            raise DerivationError(f"unknown role {quoted(self.role)} (known: {', '.join(ROLES)})")


@final
@dataclass(frozen=True)
class DataFile:
    """A data file that went into a step: its name without any folder, and the hash of its raw bytes."""

    name: str
    data_hash: bytes

    def __post_init__(self) -> None:
        check_hash(self.data_hash)
        if not self.name or "/" in self.name or "\\" in self.name:
            raise DerivationError(f"a data file is recorded by its bare name, got {quoted(self.name)}")


@final
@dataclass(frozen=True, kw_only=True)
class Step:
    """One derivation as it was done: parents (in order, by role), method, every option, data.

    `options` holds JSON values only: every field of the method, seeds as strings.
    rules: how a case is done that lineal once did wrongly; 1, which is not written, wherever nothing has changed.
    """

    type: Kind
    method: str
    version: int = 1
    rules: int = 1
    inputs: tuple[Input, ...] = ()
    options: Mapping[str, Json] = field(default_factory=dict[str, Json])
    data: tuple[DataFile, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in KINDS:
            raise DerivationError(f"unknown derivation type {quoted(self.type)} (known: {', '.join(KINDS)})")
        if not isinstance(self.method, str) or not self.method:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DerivationError(f"{self.type}: the method is empty or not a name: {quoted(self.method)}")
        for what, number in (("version", self.version), ("rules", self.rules)):
            if type(number) is not int or number < 1:
                raise DerivationError(f"{self.type}: {what} must be an integer of at least 1, got {quoted(number)}")
        if not isinstance(self.options, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DerivationError(f"{self.type}: the options must be a mapping, got {quoted(self.options)}")
        object.__setattr__(self, "options", exact(self.options))
        _ = self.derivation  # what has no valid summary is no step

    @property
    def derivation_id(self) -> bytes:
        """BLAKE3 of `lineal.step.1` and the canonical JSON: equal ids mean the same derivation."""
        return blake3(_ID_CONTEXT + canonical_json(self.to_json())).digest()

    @property
    def derivation(self) -> Derivation:
        """The summary of this step: one of the six kinds."""
        hashes: dict[Role, tuple[bytes, ...]] = {
            role: tuple(i.model_hash for i in self.inputs if i.role == role) for role in ROLES
        }
        match self.type:
            case "original":
                return Original()
            case "fine-tune":
                return FineTune(self._only(hashes, "parent"), cast(int, self.options.get("epochs", 1)))
            case "distillation":
                teachers = hashes["teacher"]
                temperature = cast(float, self.options.get("temperature"))
                return Distillation(teachers[0] if teachers else b"", temperature, teachers)
            case "merge":
                return Merge(tuple(i.model_hash for i in self.inputs), self.method)
            case "quantize":
                return Quantize(self._only(hashes, "parent"), self._quant_type)
            case "prune":
                return Prune(self._only(hashes, "parent"), cast(float, self.options.get("sparsity")))

    @property
    def _quant_type(self) -> QuantizationType:
        """That of most weights, where it is recorded, else the scheme's; dynamic while a size is still to decide."""
        of_none = QuantizationType.DYNAMIC.value if self.method == "gguf" else self.method
        return QuantizationType.of_scheme(self.options.get("main_type", self.options.get("scheme", of_none)))

    def _only(self, hashes: Mapping[Role, tuple[bytes, ...]], role: Role) -> bytes:
        if len(hashes[role]) != 1:
            raise DerivationError(f"{self.type}: exactly one {role} is needed, got {len(hashes[role])}")
        return hashes[role][0]

    def to_json(self) -> dict[str, Json]:
        """As it stands in a `lineal.json` and is hashed: canonical JSON of this is what the derivation id is of."""
        return {
            "type": self.type,
            "method": self.method,
            "version": self.version,
            **({} if self.rules == 1 else {"rules": self.rules}),
            "inputs": [{"role": i.role, "model": format_hash(i.model_hash)} for i in self.inputs],
            "options": dict(self.options),
            "data": [{"name": d.name, "hash": format_hash(d.data_hash)} for d in self.data],
        }

    @classmethod
    def from_json(cls, record: object) -> "Step":
        """The step that `to_json` wrote; anything else is refused."""
        if not isinstance(record, Mapping):
            raise DerivationError(f"not a step: {quoted(record)}")
        fields = cast(Mapping[str, Any], record)
        try:
            step = cls(
                type=fields["type"],
                method=fields["method"],
                version=fields["version"],
                rules=fields.get("rules", 1),
                inputs=tuple(Input(i["role"], parse_hash(i["model"])) for i in fields["inputs"]),
                options=fields["options"],
                data=tuple(DataFile(d["name"], parse_hash(d["hash"])) for d in fields["data"]),
            )
        except (KeyError, TypeError) as error:
            raise DerivationError(f"not a step: {quoted(error)} in {sorted(map(str, fields))}") from None
        if canonical_json(step.to_json()) != canonical_json(record):  # or its id would not be the recorded one
            raise DerivationError(f"not a step: it holds more than a step does, in {sorted(map(str, fields))}")
        return step
