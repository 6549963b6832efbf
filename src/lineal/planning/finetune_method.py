"""Ways of fine-tuning, as the planner's rules of thumb know them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeAlias, cast, final

from lineal.derivation.canonical import Json
from lineal.errors import UsageError
from lineal.planning.rules import RulesOfThumb
from lineal.shown import quoted


@dataclass(frozen=True)
class FineTuneMethod(ABC):
    """How a fine-tune changes a model. Equal by value, JSON there and back."""

    name: ClassVar[str]
    is_parameter_efficient: ClassVar[bool] = True

    Full: ClassVar["type[Full]"]
    LoRA: ClassVar["type[LoRA]"]
    QLoRA: ClassVar["type[QLoRA]"]
    Adapter: ClassVar["type[Adapter]"]
    Prefix: ClassVar["type[Prefix]"]
    IA3: ClassVar["type[IA3]"]

    @property
    @abstractmethod
    def rules(self) -> RulesOfThumb:
        """What it typically takes of memory and time, and keeps of quality."""

    @property
    @abstractmethod
    def trainable_percent(self) -> float:
        """Share of the parameters that is trained, in percent; a rule of thumb."""

    @abstractmethod
    def __str__(self) -> str: ...

    @staticmethod
    def lora(rank: int) -> "LoRA":
        """LoRA with alpha = rank."""
        return LoRA(rank, float(rank))

    @staticmethod
    def qlora(rank: int) -> "QLoRA":
        """QLoRA on a 4-bit base."""
        return QLoRA(rank, 4)

    def to_json(self) -> dict[str, Json]:
        """JSON that says which method it is, and its parameters."""
        return {"method": self.name, **asdict(self)}

    @staticmethod
    def from_json(record: object) -> "FineTuneMethod":
        """The method that `to_json` wrote; anything else is refused."""
        if isinstance(record, Mapping):
            given = {str(key): value for key, value in cast(Mapping[Any, Any], record).items()}
            kind = _METHODS.get(str(given.pop("method", None)))
            if kind is not None and given.keys() == {field.name for field in fields(kind)}:
                return kind(**given)
        raise UsageError(f"not a fine-tuning method: {quoted(record)} (known: {', '.join(_METHODS)})")


@final
@dataclass(frozen=True)
class Full(FineTuneMethod):
    name: ClassVar = "full"
    is_parameter_efficient: ClassVar = False

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(4.0, 2.0, 1.00, 1.0)

    @property
    def trainable_percent(self) -> float:
        return 100.0

    def __str__(self) -> str:
        return "Full"


@final
@dataclass(frozen=True)
class LoRA(FineTuneMethod):
    name: ClassVar = "lora"
    rank: int
    alpha: float

    def __post_init__(self) -> None:
        _check_rank(self.rank)
        if not 0 < self.alpha < float("inf"):
            raise UsageError(f"lora: alpha must be finite and above 0, got {self.alpha}")
        object.__setattr__(self, "alpha", float(self.alpha))

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(1.2, 5 / (1 + self.rank / 64), 0.95 + min(self.rank / 256, 0.05), 2.0)

    @property
    def trainable_percent(self) -> float:
        return _low_rank_percent(self.rank)

    def __str__(self) -> str:
        return f"LoRA(r={self.rank}, α={self.alpha:g})"


@final
@dataclass(frozen=True)
class QLoRA(FineTuneMethod):
    name: ClassVar = "qlora"
    rank: int
    bits: int

    def __post_init__(self) -> None:
        _check_rank(self.rank)
        if not 1 <= self.bits <= 16:
            raise UsageError(f"qlora: bits must be in [1, 16], got {self.bits}")

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(1.1, 6.0, 0.93, 4.0)

    @property
    def trainable_percent(self) -> float:
        return _low_rank_percent(self.rank)

    def __str__(self) -> str:
        return f"QLoRA(r={self.rank}, {self.bits}-bit)"


@final
@dataclass(frozen=True)
class Adapter(FineTuneMethod):
    name: ClassVar = "adapter"

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(1.5, 4.0, 0.92, 1.5)

    @property
    def trainable_percent(self) -> float:
        return 5.0

    def __str__(self) -> str:
        return "Adapter"


@final
@dataclass(frozen=True)
class Prefix(FineTuneMethod):
    name: ClassVar = "prefix"

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(1.3, 5.0, 0.88, 1.8)

    @property
    def trainable_percent(self) -> float:
        return 1.0

    def __str__(self) -> str:
        return "Prefix"


@final
@dataclass(frozen=True)
class IA3(FineTuneMethod):
    name: ClassVar = "ia3"

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(1.1, 8.0, 0.90, 3.0)

    @property
    def trainable_percent(self) -> float:
        return 0.01

    def __str__(self) -> str:
        return "IA³"


def _low_rank_percent(rank: int) -> float:
    return 0.1 * min(rank / 8, 2)


def _check_rank(rank: int) -> None:
    if rank < 1:
        raise UsageError(f"rank must be at least 1, got {rank}")


_Kind: TypeAlias = type[Full] | type[LoRA] | type[QLoRA] | type[Adapter] | type[Prefix] | type[IA3]
_METHODS: dict[str, _Kind] = {kind.name: kind for kind in (Full, LoRA, QLoRA, Adapter, Prefix, IA3)}

FineTuneMethod.Full, FineTuneMethod.LoRA, FineTuneMethod.QLoRA = Full, LoRA, QLoRA
FineTuneMethod.Adapter, FineTuneMethod.Prefix, FineTuneMethod.IA3 = Adapter, Prefix, IA3
