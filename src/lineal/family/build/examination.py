"""A model that is compared with its parent as soon as it is made, and is to be near it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.engines.extra import require_training
from lineal.errors import AnswerIsNo, UsageError
from lineal.family.build.evaluation import evaluate_model
from lineal.family.file.recipe import Family
from lineal.family.session import LocalModel, Session
from lineal.lineage.records.records import Evaluation


@final
@dataclass(frozen=True)
class Examination:
    """texts: by name; most_kl: nats a token that the model may be from its parent, on each of them."""

    texts: Mapping[str, Path]
    most_kl: float | None = None

    def __post_init__(self) -> None:
        if self.most_kl is None:
            return
        if not 0 <= self.most_kl < math.inf:
            raise UsageError(f"--max-kl must be a finite number of at least 0, got {self.most_kl}")
        if not self.texts:
            raise UsageError("--max-kl needs a text to measure it on: --eval FILE")

    def before(self, family: Family) -> Family:
        """The family with the texts, which are read before anything is made; MissingExtra where no model can be run."""
        if not self.texts:
            return family
        require_training("evaluation")
        return replace(family, texts={**family.texts, **self.texts})

    def after(self, session: Session, local: LocalModel) -> None:
        """Evaluate what was made, and record that; AnswerIsNo where it is too far from its parent, and it stays."""
        found = evaluate_model(session, local, self.texts) if self.texts else []
        for evaluation in found:
            session.progress.say(f"{local.path.name}: {_told(session, evaluation)}")
        for evaluation in found:
            if self.most_kl is not None and evaluation.kl is not None and evaluation.kl > self.most_kl:
                away = f"its KL divergence on {evaluation.text} is {evaluation.kl:.4g} nats a token"
                limit = f"above --max-kl {self.most_kl:g}; it was made and stays: {local.path}"
                raise AnswerIsNo(f"{local.path.name}: {away}, {limit}")


def _told(session: Session, evaluation: Evaluation) -> str:
    away = ""
    if evaluation.kl is not None and evaluation.reference is not None:
        away = f", KL {evaluation.kl:.4f} nats a token from {session.registry.label(evaluation.reference)}"
    return f"perplexity {evaluation.perplexity:.4g}{away}, on {evaluation.text} ({evaluation.tokens:,} tokens)"
