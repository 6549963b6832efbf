"""Training from scratch: a configuration, a tokenizer made from the data, and random weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lineal.errors import MethodError
from lineal.methods.finetune.training import OptimizerName, Training
from lineal.shown import quoted

SMALLEST_VOCABULARY = 257
"""The 256 bytes and the end of a document."""


@dataclass(frozen=True, kw_only=True)
class Scratch(Training):
    """Train an original.

    config: a transformers configuration with its model_type; vocab_size and the special tokens follow the tokenizer,
        dtype is how the weights are stored (float32 unless it says otherwise).
    tokenizer: {"train": {"vocab_size": n}}, a byte-level BPE trained on the data.
    """

    kind: ClassVar = "original"
    name: ClassVar = "train"
    paper: ClassVar = (
        "https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf"
    )

    config: Mapping[str, Any]
    tokenizer: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: {"train": {"vocab_size": 4096}})
    learning_rate: float = 1e-2
    optimizer: OptimizerName = "muon"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.config.get("model_type"), str):
            raise MethodError("train: config needs a model_type, e.g. llama")
        if self.vocabulary_size < SMALLEST_VOCABULARY:
            raise MethodError(
                f"train: vocab_size must be at least {SMALLEST_VOCABULARY} (the bytes and the end of a document), "
                f"got {self.vocabulary_size}"
            )

    @property
    def vocabulary_size(self) -> int:
        """Words of the tokenizer that is trained; MethodError where `tokenizer` is not {"train": {"vocab_size": n}}."""
        match self.tokenizer:
            case {"train": {"vocab_size": int(size), **others}, **unknown} if not others and not unknown:
                return size
            case _:
                raise MethodError(
                    f'train: tokenizer must be {{"train": {{"vocab_size": n}}}}, got {quoted(self.tokenizer)}'
                )
