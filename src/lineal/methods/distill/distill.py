"""Distillation as a recipe: which student, how it is taught, and by how much."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, final

from pydantic import ConfigDict

from lineal.errors import MethodError
from lineal.methods.distill.attention import AttentionTransfer
from lineal.methods.distill.ensemble import EnsembleDistiller
from lineal.methods.distill.knowledge import KnowledgeDistillation
from lineal.methods.distill.positions import check_mapping
from lineal.methods.distill.progressive import Form, ProgressiveDistillation
from lineal.methods.finetune.fake_quantization import FakeQuantize
from lineal.methods.finetune.training import Training

if TYPE_CHECKING:
    from torch import Tensor

LayerMapping: TypeAlias = tuple[tuple[int, int], ...]
"""Pairs (student layer, teacher layer), counted from zero."""


@final
@dataclass(frozen=True, kw_only=True)
class Progressive:
    """The options of ProgressiveDistillation; a projection is made where the widths differ."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    layer_mapping: LayerMapping
    hidden_weight: float = 1.0
    form: Form = "mse"

    def __post_init__(self) -> None:
        _ = self.loss()

    def loss(self, projection: "Tensor | None" = None) -> ProgressiveDistillation:
        return ProgressiveDistillation(self.layer_mapping, self.hidden_weight, projection, self.form)


@final
@dataclass(frozen=True, kw_only=True)
class Attention:
    """The options of AttentionTransfer; no mapping pairs layers of the same number."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    weight: float = 0.1
    layer_mapping: LayerMapping | None = None

    def __post_init__(self) -> None:
        _ = self.loss()

    def loss(self) -> AttentionTransfer:
        return AttentionTransfer(self.weight, self.layer_mapping)


@dataclass(frozen=True, kw_only=True)
class Distill(Training):
    """Train all weights of a student on what one or several teachers predict, and on the text itself.

    temperature, alpha: L = alpha * T^2 * KL(teachers_T || student_T) + (1 - alpha) * cross-entropy with the text.
    weights: one for each teacher, normalised to sum to 1; none means equal.
    combine: the weighted mean of the teachers' logits, or of their probabilities.
    layers: cut the student to so many of its parent's blocks, evenly spaced from the first, or to the blocks listed.
    progressive: {layer_mapping: [[student, teacher], ...], hidden_weight: 1, form: mse | normalized | cosine}, also
        match hidden states, layer i being the output of block i.
    attention: {weight: 0.1, layer_mapping: [[student, teacher], ...]}, also match attention maps.
    fake_quantize: w4a16, or {scheme: w4a16, group_size: 128, symmetric: true}: compute with the student's weights as
        method rtn would round them, and let gradients pass the rounding by.
    """

    kind: ClassVar = "distillation"
    name: ClassVar = "distill"
    paper: ClassVar = "https://arxiv.org/abs/1503.02531"
    later: ClassVar = frozenset({"fake_quantize"})

    temperature: float = 2.0
    alpha: float = 0.5
    weights: tuple[float, ...] = ()
    combine: Literal["logits", "probabilities"] = "logits"
    layers: int | tuple[int, ...] | None = None
    progressive: Progressive | None = None
    attention: Attention | None = None
    learning_rate: float = 5e-4
    fake_quantize: FakeQuantize | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        KnowledgeDistillation(self.temperature, self.alpha)
        if self.weights:
            EnsembleDistiller(self.weights, self.temperature)
        self._require_one_of("combine", ("logits", "probabilities"))
        if isinstance(self.layers, int):
            self._require_integer("layers", 1)
        elif self.layers is not None:
            rising = list(self.layers) == sorted(set(self.layers)) and all(layer >= 0 for layer in self.layers)
            self._require(bool(self.layers) and rising, "layers", "a count, or the numbers of blocks in rising order")

    @property
    def uses_teachers(self) -> bool:
        """Whether anything is learnt from them; labels alone are what a distillation is compared with."""
        return self.alpha > 0 or self.progressive is not None or self.attention is not None

    @property
    def names_layers(self) -> bool:
        """Whether it matters how many blocks its models have."""
        return self.layers is not None or self.progressive is not None or self.attention is not None

    def check_models(self, count: int) -> None:
        """Refuse a number of teachers, with a MethodError."""
        if count < 1:
            raise MethodError("distill: at least one teacher is needed")
        if self.weights and len(self.weights) != count:
            raise MethodError(f"distill: {len(self.weights)} weights for {count} teachers")

    def ensemble(self, teachers: int) -> EnsembleDistiller:
        """What makes one of so many teachers, and the loss; a method that inherits this may return another."""
        self.check_models(teachers)
        return EnsembleDistiller(self.weights or (1.0,) * teachers, self.temperature)

    def kept_blocks(self, blocks: int) -> tuple[int, ...]:
        """Which of the parent's blocks become the student's, in order."""
        if self.layers is None:
            return tuple(range(blocks))
        if isinstance(self.layers, int):
            if self.layers > blocks:
                raise MethodError(f"distill: layers {self.layers} is more than the {blocks} blocks of the parent")
            return tuple(i * blocks // self.layers for i in range(self.layers))
        if self.layers[-1] >= blocks:
            raise MethodError(f"distill: layers: there is no block {self.layers[-1]}, the parent has {blocks}")
        return self.layers

    def check_layers(self, student_blocks: int, teacher_blocks: int) -> None:
        """Refuse pairs of layers that do not exist, before any weight is read."""
        if self.progressive is not None:
            check_mapping("distill: progressive", self.progressive.layer_mapping, student_blocks, teacher_blocks)
        if self.attention is None:
            return
        if self.attention.layer_mapping is None and student_blocks != teacher_blocks:
            counts = f"{student_blocks} layers of the student, {teacher_blocks} of the teacher"
            raise MethodError(f"distill: attention: {counts}: a layer_mapping is needed")
        check_mapping("distill: attention", self.attention.layer_mapping or (), student_blocks, teacher_blocks)
