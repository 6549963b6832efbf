"""Where a method's values come from: a stored tensor, or one with an adapter's update added on the fly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from lineal.checkpoint.adapter import LowRankUpdate, low_rank_updates
from lineal.checkpoint.reader import Checkpoint
from lineal.checkpoint.safetensors_header import TensorSpec
from lineal.errors import CheckpointError

GGUF_IS_NO_PARENT = "is a GGUF, from which nothing is derived; name the model it was made from"

_HEADS = ("lm_head.weight",)


@final
@dataclass(frozen=True)
class Source:
    """One parent's tensor as full weights: stored, plus a low-rank update where an adapter has one, in float32."""

    model: str
    spec: TensorSpec
    update: LowRankUpdate | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype


@final
@dataclass(frozen=True)
class Model(Mapping[str, Source]):
    """A parent as full weights, tensor by tensor, whatever it is on disk.

    name: as the user knows it, for messages; checkpoint: the full weights; adapter: on top of them, or None.
    """

    name: str
    checkpoint: Checkpoint
    adapter: Checkpoint | None
    sources: Mapping[str, Source]

    @property
    def folder(self) -> Path:
        """Where the config and tokenizer of the full model lie."""
        return self.checkpoint.folder

    @property
    def tied(self) -> bool:
        """Whether the output head is the input embedding."""
        return _tied(self.checkpoint)

    def __getitem__(self, name: str) -> Source:
        return self.sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)


def full_model(name: str, checkpoint: Checkpoint, adapter: Checkpoint | None = None) -> Model:
    """A checkpoint, or an adapter on its base, as full weights; a tied output head is left out: it is the embedding."""
    if checkpoint.form == "gguf":
        raise CheckpointError(f"{name}: {checkpoint.place} {GGUF_IS_NO_PARENT}")
    if checkpoint.form != "full":
        raise CheckpointError(f"{name}: {checkpoint.folder} is an adapter; its base is needed to see full weights")
    if checkpoint.config.get("quantization_config"):
        raise CheckpointError(
            f"{name}: {checkpoint.folder} holds quantized weights, which are codes; dequantize it first"
        )
    updates = {} if adapter is None else low_rank_updates(adapter, checkpoint)
    tied = _tied(checkpoint)
    if tied and updates.keys() & set(_HEADS):
        raise CheckpointError(f"{name}: adapts the output head, but its config says it is tied to the embedding")
    kept = {key: spec for key, spec in checkpoint.items() if not (tied and key in _HEADS)}
    sources = {key: Source(name, spec, updates.get(key)) for key, spec in kept.items()}
    return Model(name, checkpoint, adapter, sources)


def _tied(checkpoint: Checkpoint) -> bool:
    """What the config says; old ones leave out their architecture's default, and a stored head then tells it."""
    stored = any(head in checkpoint for head in _HEADS)
    return bool(checkpoint.config.get("tie_word_embeddings", not stored))
