"""What every training shares: how much text, how large the steps, which optimizer."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

from pydantic import BeforeValidator

from lineal.derivation.canonical import Json
from lineal.errors import MethodError
from lineal.methods.method import Method, Reproducibility
from lineal.shown import quoted

OptimizerName: TypeAlias = Literal["adamw", "muon"]
Precision: TypeAlias = Literal["float32", "bfloat16"]
Schedule: TypeAlias = Literal["constant", "cosine", "linear"]

_WRITTEN_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kMB]?)")
_MULTIPLES = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9}


def parse_token_count(value: object) -> object:
    """2M, 1.5M or 500k as an integer; what is no text is left to the type."""
    if not isinstance(value, str):
        return value
    written = _WRITTEN_COUNT.fullmatch(value.strip())
    if written is None:
        raise ValueError("a count of tokens is an integer, or a number with k, M or B behind it")
    return round(float(written[1]) * _MULTIPLES[written[2]])


TokenCount: TypeAlias = Annotated[int, BeforeValidator(parse_token_count)]


@dataclass(frozen=True, kw_only=True)
class Training(Method):
    """A training on text. Weights and optimizer states are float32 whatever the precision of the arithmetic.

    tokens: a budget instead of epochs; the data is begun again as often as it takes, and epochs records how often.
    batch_size: blocks a forward pass; an optimizer step sees batch_size * gradient_accumulation of them.
    sequence_length: tokens a block.
    warmup_share: share of the steps in which the learning rate rises from 0.
    optimizer: muon is torch.optim.Muon for the hidden matrices and AdamW for embeddings, norms, biases and head; its
        steps are scaled to AdamW's size, so that one learning rate serves both.
    precision: of the matrix products; bfloat16 is autocast.
    """

    reproducibility: ClassVar = Reproducibility.STATISTICAL
    uses_data: ClassVar = True
    later: ClassVar[frozenset[str]] = frozenset()
    """Options that were not there when the first steps were recorded: None is not recorded."""

    epochs: int = 1
    tokens: TokenCount | None = None
    learning_rate: float
    batch_size: int = 8
    gradient_accumulation: int = 1
    sequence_length: int = 512
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    schedule: Schedule = "cosine"
    max_grad_norm: float = 1.0
    optimizer: OptimizerName = "adamw"
    precision: Precision = "float32"
    seed: int = 42

    def __post_init__(self) -> None:
        for option in ("epochs", "batch_size", "gradient_accumulation"):
            self._require_integer(option, 1)
        self._require_integer("sequence_length", 2)
        self._require_integer("seed", 0)
        if self.tokens is not None:
            self._require_integer("tokens", 1)
        self._require(0 < self.learning_rate < math.inf, "learning_rate", "finite and above 0")
        self._require(0 <= self.warmup_share < 1, "warmup_share", "in [0, 1)")
        self._require(0 <= self.weight_decay < math.inf, "weight_decay", "finite and at least 0")
        self._require(0 < self.max_grad_norm < math.inf, "max_grad_norm", "finite and above 0")
        self._require_one_of("schedule", get_args(Schedule))
        self._require_one_of("optimizer", get_args(OptimizerName))
        self._require_one_of("precision", get_args(Precision))

    def options(self) -> dict[str, Json]:
        options = super().options()
        return {key: value for key, value in options.items() if value is not None or key not in self.later}

    @property
    def found_in_making(self) -> str | None:
        """How often the data is begun, of a budget in tokens."""
        return None if self.tokens is None else "epochs"

    def check_positions(self, positions: int | None) -> None:
        """Refuse blocks that are longer than a model's positions, with a MethodError; None: it sets no bound."""
        if positions is not None and self.sequence_length > positions:
            raise MethodError(
                f"{self.name}: sequence_length {self.sequence_length} is more than the model's {positions} positions"
            )

    def _require(self, holds: bool, option: str, range_: str) -> None:
        if not holds:
            raise MethodError(f"{self.name}: {option} must be {range_}, got {quoted(getattr(self, option))}")

    def _require_integer(self, option: str, least: int) -> None:
        value: object = getattr(self, option)
        holds = isinstance(value, int) and not isinstance(value, bool) and value >= least
        self._require(holds, option, f"an integer of at least {least}")

    def _require_one_of(self, option: str, known: Sequence[str]) -> None:
        self._require(getattr(self, option) in known, option, f"one of {', '.join(known)}")
