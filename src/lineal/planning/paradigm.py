"""Paradigms of making a model, each with its rules of thumb."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast, final

from lineal.derivation.canonical import Json
from lineal.errors import UsageError
from lineal.planning.finetune_method import FineTuneMethod, LoRA, QLoRA
from lineal.planning.rules import RulesOfThumb
from lineal.shown import quoted


@dataclass(frozen=True)
class ModelParadigm(ABC):
    """How a model comes to be. Equal by value, JSON there and back; all figures are rules of thumb."""

    name: ClassVar[str]
    requires_pretrained: ClassVar[bool] = False

    TraditionalMl: ClassVar["type[TraditionalMl]"]
    DeepLearning: ClassVar["type[DeepLearning]"]
    FineTuning: ClassVar["type[FineTuning]"]
    Distillation: ClassVar["type[Distillation]"]
    MoE: ClassVar["type[MoE]"]
    Ensemble: ClassVar["type[Ensemble]"]

    @property
    @abstractmethod
    def rules(self) -> RulesOfThumb:
        """What it typically takes of memory and time, and keeps of quality."""

    @abstractmethod
    def __str__(self) -> str: ...

    @property
    def is_parameter_efficient(self) -> bool:
        """Whether it trains a small share of the parameters; only some fine-tunings do."""
        return False

    @property
    def typical_memory_multiplier(self) -> float:
        """Training memory over inference memory."""
        return self.rules.memory_multiplier

    @property
    def typical_training_speedup(self) -> float:
        """Over training from scratch."""
        return self.rules.training_speedup

    @property
    def typical_quality_retention(self) -> float:
        """Quality over that of training all of it, 1 being as good; a rule of thumb."""
        return self.rules.quality_retention

    @property
    def batch_size_multiplier(self) -> float:
        """Batch size over that of training all of it, in the same memory; a rule of thumb."""
        return self.rules.batch_size_multiplier

    @staticmethod
    def default() -> "DeepLearning":
        """Training a network from scratch."""
        return DeepLearning()

    @staticmethod
    def lora(rank: int, alpha: float) -> "FineTuning":
        """Fine-tuning by LoRA of this rank and alpha."""
        return FineTuning(LoRA(rank, alpha))

    @staticmethod
    def qlora(rank: int, bits: int) -> "FineTuning":
        """Fine-tuning by QLoRA of this rank on a base of so many bits."""
        return FineTuning(QLoRA(rank, bits))

    def to_json(self) -> dict[str, Json]:
        """JSON that says which paradigm it is, and its parameters."""
        return {"paradigm": self.name}

    @staticmethod
    def from_json(record: object) -> "ModelParadigm":
        """The paradigm that `to_json` wrote; anything else is refused."""
        if isinstance(record, Mapping):
            fields = {str(key): value for key, value in cast(Mapping[Any, Any], record).items()}
            name = fields.pop("paradigm", None)
            if name == FineTuning.name and fields.keys() == {"method"}:
                return FineTuning(FineTuneMethod.from_json(fields["method"]))
            if isinstance(name, str) and name in _PLAIN and not fields:
                return _PLAIN[name]()
        raise UsageError(f"not a paradigm: {quoted(record)} (known: {', '.join((*_PLAIN, FineTuning.name))})")


@final
@dataclass(frozen=True)
class TraditionalMl(ModelParadigm):
    name: ClassVar = "traditional-ml"

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(1.5, 10.0, 0.70, 10.0)

    def __str__(self) -> str:
        return "Traditional ML"


@final
@dataclass(frozen=True)
class DeepLearning(ModelParadigm):
    """Training from scratch: what the other paradigms are measured against, and the default."""

    name: ClassVar = "deep-learning"

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(4.0, 1.0, 1.00, 1.0)

    def __str__(self) -> str:
        return "Deep Learning"


@final
@dataclass(frozen=True)
class FineTuning(ModelParadigm):
    name: ClassVar = "fine-tuning"
    requires_pretrained: ClassVar = True
    method: FineTuneMethod

    @property
    def rules(self) -> RulesOfThumb:
        return self.method.rules

    @property
    def is_parameter_efficient(self) -> bool:
        return self.method.is_parameter_efficient

    def __str__(self) -> str:
        return f"Fine-tuning ({self.method})"

    def to_json(self) -> dict[str, Json]:
        return {"paradigm": self.name, "method": self.method.to_json()}


@final
@dataclass(frozen=True)
class Distillation(ModelParadigm):
    name: ClassVar = "distillation"
    requires_pretrained: ClassVar = True

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(5.0, 1.5, 0.85, 0.5)

    def __str__(self) -> str:
        return "Knowledge Distillation"


@final
@dataclass(frozen=True)
class MoE(ModelParadigm):
    name: ClassVar = "moe"

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(2.0, 0.8, 1.05, 1.2)

    def __str__(self) -> str:
        return "Mixture of Experts"


@final
@dataclass(frozen=True)
class Ensemble(ModelParadigm):
    name: ClassVar = "ensemble"

    @property
    def rules(self) -> RulesOfThumb:
        return RulesOfThumb(3.0, 0.5, 1.02, 0.3)

    def __str__(self) -> str:
        return "Ensemble"


_PLAIN = {kind.name: kind for kind in (TraditionalMl, DeepLearning, Distillation, MoE, Ensemble)}

ModelParadigm.TraditionalMl, ModelParadigm.DeepLearning, ModelParadigm.FineTuning = (
    TraditionalMl,
    DeepLearning,
    FineTuning,
)
ModelParadigm.Distillation, ModelParadigm.MoE, ModelParadigm.Ensemble = Distillation, MoE, Ensemble
