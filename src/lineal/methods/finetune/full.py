"""Full fine-tuning: every weight of the parent is trained."""

from dataclasses import dataclass
from typing import ClassVar

from lineal.methods.finetune.fake_quantization import FakeQuantize
from lineal.methods.finetune.training import Training


@dataclass(frozen=True, kw_only=True)
class FullFineTune(Training):
    """Train all weights in float32; the child is stored in its parent's dtypes.

    fake_quantize: w4a16, or {scheme: w4a16, group_size: 128, symmetric: true}: compute with the weights that method rtn
        would round them to, and let gradients pass the rounding by. The child's weights are stored in full.
    """

    kind: ClassVar = "fine-tune"
    name: ClassVar = "full"
    paper: ClassVar = "https://arxiv.org/abs/1801.06146"

    later: ClassVar = frozenset({"fake_quantize"})

    learning_rate: float = 5e-5
    fake_quantize: FakeQuantize | None = None

    def trains(self, parameter: str) -> bool:
        """Whether a parameter is trained, by transformers' name of it; a method that inherits this may leave some."""
        return True
