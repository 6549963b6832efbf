"""A package of methods, one of every kind; test_foreign_methods.py installs it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from lineal import Distill, EnsembleDistiller, FullFineTune, GgufQuantization, Lora, LoraConfig, Scratch
from lineal.methods import Block, Emit, Reproducibility, Site, StreamingMethod
from lineal.methods.quantize.mixes import ModelShape


@dataclass(frozen=True, kw_only=True)
class Largest(StreamingMethod):
    """Of each weight the larger."""

    kind: ClassVar = "merge"
    name: ClassVar = "largest"
    paper: ClassVar = "https://example.org/largest"
    reproducibility: ClassVar = Reproducibility.EXACT

    def check_models(self, count: int) -> None:
        pass

    def passes(self, site: Site) -> int:
        return 1

    def sweeps(self, site: Site) -> Iterator[Emit]:
        yield Emit(self._pick)

    def _pick(self, block: Block) -> None:
        block.models.max(axis=0, out=block.out)


@dataclass(frozen=True, kw_only=True)
class Coarse(StreamingMethod):
    """Weights of a small magnitude are zero.

    sparsity: the magnitude up to which they are; of weights spread evenly over [-1, 1], the share.
    """

    kind: ClassVar = "prune"
    name: ClassVar = "coarse"
    paper: ClassVar = "https://example.org/coarse"
    reproducibility: ClassVar = Reproducibility.EXACT

    sparsity: float = 0.1

    def check_models(self, count: int) -> None:
        pass

    def passes(self, site: Site) -> int:
        return 1

    def sweeps(self, site: Site) -> Iterator[Emit]:
        yield Emit(self._drop)

    def _drop(self, block: Block) -> None:
        np.multiply(block.models[0], np.abs(block.models[0]) >= np.float32(self.sparsity), out=block.out)


@dataclass(frozen=True, kw_only=True)
class WideRows(GgufQuantization):
    """q8_0, but float16 for matrices of few columns."""

    name: ClassVar = "wide_rows"

    scheme: str = "q8_0"

    def types(self, tensors: Mapping[str, tuple[int, ...]], shape: ModelShape) -> dict[str, str]:
        found = super().types(tensors, shape)
        return {name: "F16" if len(tensors[name]) == 2 and tensors[name][1] < 40 else found[name] for name in tensors}


@dataclass(frozen=True, kw_only=True)
class Norms(FullFineTune):
    """Train the norms alone."""

    name: ClassVar = "norms"
    paper: ClassVar = "https://arxiv.org/abs/2003.00152"

    def trains(self, parameter: str) -> bool:
        return "norm" in parameter


class Constant(LoraConfig):
    """Every entry of A is the same."""

    def initial_A(self, module_path: str, in_features: int) -> Any:
        return np.full((self.rank, in_features), np.float32(0.01))


@dataclass(frozen=True, kw_only=True)
class ConstantLora(Lora):
    """LoRA from another beginning."""

    name: ClassVar = "constant_lora"

    @property
    def config(self) -> LoraConfig:
        return Constant(self.rank, self.alpha, self.dropout, self.target_modules, self.seed, self.rank_stabilized)


class SquaredError(EnsembleDistiller):
    """The squared difference of the logits."""

    def distillation_loss(self, student_logits: Any, teacher_logits: Any, *given: Any, **named: Any) -> Any:
        return (student_logits - self.combine_teachers(teacher_logits)).square().mean()


@dataclass(frozen=True, kw_only=True)
class Regression(Distill):
    """Match the teachers' logits by their squared error."""

    name: ClassVar = "regression"

    def ensemble(self, teachers: int) -> EnsembleDistiller:
        return SquaredError(self.weights or (1.0,) * teachers, self.temperature)


@dataclass(frozen=True, kw_only=True)
class Smallest(Scratch):
    """An original of one block."""

    name: ClassVar = "smallest"

    config: Mapping[str, Any] = field(
        default_factory=lambda: {
            "model_type": "llama",
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "intermediate_size": 16,
            "max_position_embeddings": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
        }
    )
    tokenizer: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: {"train": {"vocab_size": 280}})


METHODS = (Largest, Coarse, WideRows, Norms, ConstantLora, Regression, Smallest)
