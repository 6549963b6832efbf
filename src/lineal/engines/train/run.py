"""What all trainings share: where they read, keep and write, and how a model is driven through its course."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias, final

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lineal.derivation.canonical import Json
from lineal.engines.inference.language_model import context_length, end_of_document
from lineal.engines.text.encoding import Encoder, Remark
from lineal.engines.text.packing import Course, pack, plan_course
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.continuation import claim
from lineal.engines.train.objective import Objective
from lineal.engines.train.trainer import Progress, optimize
from lineal.methods.finetune.training import Training

Trained: TypeAlias = tuple[Course, list[float]]
"""What was read, and the loss of each step."""


@final
@dataclass(frozen=True)
class TrainingRun:
    """A training's files: data, the child's folder, and a scratch folder from which a killed training continues."""

    data: Sequence[Path]
    out: Path
    scratch: Path
    base: BaseName
    checkpoint_seconds: float
    progress: Progress | None
    remark: Remark | None = None

    @property
    def staging(self) -> Path:
        return self.scratch / "staging"

    def optimize(
        self,
        method: Training,
        model: Any,
        objective: Objective,
        tokenizer: PreTrainedTokenizerBase,
        documents: Sequence[str],
    ) -> Trained:
        """Train what of the model asks for gradients, on the documents as the tokenizer reads them."""
        tokens = Encoder(tokenizer, self.remark).documents(documents)
        blocks = pack(tokens, end_of_document(tokenizer, self.base.name), method.sequence_length)
        course = plan_course(method, blocks)
        key: dict[str, Json] = {
            "method": method.name,
            "options": method.options(),
            "parent": self.base.name,
            "tokens": blocks.content_hash,
            "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        }
        claim(self.scratch, key)
        losses = optimize(
            method,
            model,
            course,
            objective,
            scratch=self.scratch,
            checkpoint_seconds=self.checkpoint_seconds,
            progress=self.progress,
        )
        return course, losses


def check_context(method: Training, model: PreTrainedModel) -> None:
    """Refuse blocks that are longer than the model's positions."""
    method.check_positions(context_length(model))
