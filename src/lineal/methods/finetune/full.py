"""Full fine-tuning: every weight of the parent is trained."""

from dataclasses import dataclass
from typing import ClassVar

from lineal.methods.finetune.training import Training


@dataclass(frozen=True, kw_only=True)
class FullFineTune(Training):
    """Train all weights in float32; the child is stored in its parent's dtypes."""

    kind: ClassVar = "fine-tune"
    name: ClassVar = "full"
    paper: ClassVar = "https://arxiv.org/abs/1801.06146"

    learning_rate: float = 5e-5

    def trains(self, parameter: str) -> bool:
        """Whether a parameter is trained, by transformers' name of it; a method that inherits this may leave some."""
        return True
