"""LoRA: a frozen weight and a trained update of low rank beside it."""

import math
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.methods.finetune.training import Training
from lineal.randomness import uniforms
from lineal.shown import quoted

TargetModules: TypeAlias = tuple[str, ...] | str

ALL_LINEAR = "all-linear"


@dataclass(frozen=True)
class LoraConfig:
    """dW = scaling * B @ A with A [rank, in_features] random and B [out_features, rank] zero at the start.

    target_modules: the last parts of module paths as PEFT matches them, one regular expression for whole paths, or
        "all-linear"; empty means all-linear: every linear layer but the output head.
    rank_stabilized: scaling = alpha / sqrt(rank), https://arxiv.org/abs/2312.03732.
    """

    rank: int = 8
    alpha: float = 8.0
    dropout: float = 0.0
    target_modules: TargetModules = ()
    seed: int = 42
    rank_stabilized: bool = False

    def __post_init__(self) -> None:
        if not _is_count(self.rank):
            raise MethodError(f"lora: rank must be an integer of at least 1, got {quoted(self.rank)}")
        if not 0 < self.alpha < math.inf:
            raise MethodError(f"lora: alpha must be finite and above 0, got {quoted(self.alpha)}")
        if not 0 <= self.dropout < 1:
            raise MethodError(f"lora: dropout must be in [0, 1), got {quoted(self.dropout)}")

    @property
    def scaling(self) -> float:
        """What B @ A is multiplied by: alpha / rank (Hu et al. 2021, section 4.1), or alpha / sqrt(rank)."""
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilized else self.rank)

    def check_target(self, module_path: str, in_features: int, out_features: int) -> None:
        """Refuse a rank that this layer's weight cannot have."""
        if self.rank > min(in_features, out_features):
            raise MethodError(
                f"lora: rank {self.rank} is more than {module_path} [{out_features}, {in_features}] allows: "
                f"at most {min(in_features, out_features)}"
            )

    def initial_A(self, module_path: str, in_features: int) -> NDArray[np.float32]:
        """U(-1/sqrt(in), 1/sqrt(in)), [rank, in_features], keyed by the seed and the module's path in the base."""
        drawn = uniforms(self.seed, module_path, 0, 0, self.rank * in_features).reshape(self.rank, in_features)
        bound = np.float32(1 / math.sqrt(in_features))
        return (np.float32(2) * drawn - np.float32(1)) * bound

    def trainable_parameters(self, in_features: int, out_features: int) -> int:
        """Entries of A and B for one layer: rank * (in_features + out_features)."""
        return self.rank * (in_features + out_features)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True, kw_only=True)
class Lora(Training):
    """Train a low-rank update of chosen linear layers; the child is a PEFT adapter on its parent.

    rank: of the update B @ A, which is scaled by alpha / rank, or by alpha / sqrt(rank) where it is rank_stabilized.
    dropout: share of a layer's inputs that the update does not see, in training only.
    target_modules: names of linear layers, a regular expression for whole module paths, or all-linear; none given
        means all-linear: every linear layer but the output head.
    """

    kind: ClassVar = "fine-tune"
    name: ClassVar = "lora"
    paper: ClassVar = "https://arxiv.org/abs/2106.09685"

    rank: int = 8
    alpha: float = 8.0
    dropout: float = 0.0
    target_modules: TargetModules = ()
    rank_stabilized: bool = False
    learning_rate: float = 5e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.config  # refuses what is out of range

    def refuse_adapter(self, parent: str) -> None:
        """An adapter of an adapter is read by nothing."""
        raise MethodError(f"lora: the parent {parent} is an adapter itself; merge it into its base first")

    @property
    def config(self) -> LoraConfig:
        """The options that PEFT knows, too, with the seed that A is drawn from."""
        return LoraConfig(self.rank, self.alpha, self.dropout, self.target_modules, self.seed, self.rank_stabilized)
