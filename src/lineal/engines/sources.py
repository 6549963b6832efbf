"""Where a method's values come from: a stored tensor, or one with an adapter's update added on the fly."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

from lineal.checkpoint.adapter import LowRankUpdate, low_rank_updates
from lineal.checkpoint.package import vocabulary
from lineal.checkpoint.reader import Checkpoint
from lineal.checkpoint.safetensors_header import TensorSpec
from lineal.checkpoint.scaled import Scales, scales_of
from lineal.checkpoint.storage import BLOCKS
from lineal.engines.gguf_parent import gguf_config, gguf_tensors, gguf_vocabulary
from lineal.engines.llama_of_gguf import is_tied
from lineal.errors import CheckpointError

GGUF_IS_NO_PARENT = "is a GGUF, which merges take and nothing else; name the model it was made from"

_HEADS = ("lm_head.weight",)


@final
@dataclass(frozen=True)
class Source:
    """One parent's tensor as full weights: stored, plus a low-rank update where an adapter has one, in float32.

    scales: of a weight that is codes; head_rows: of a tensor whose rows a GGUF has in pairs, how many a head has: they
    are turned back into halves.
    """

    model: str
    spec: TensorSpec
    update: LowRankUpdate | None = None
    scales: Scales | None = None
    head_rows: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        """What a child made of it is stored as, unless it is to be something else."""
        if self.scales is not None:
            return self.scales.dtype
        return "F16" if self.spec.dtype in BLOCKS else self.spec.dtype

    @property
    def unit(self) -> int:
        """Elements that a window never divides."""
        if self.head_rows is not None:
            return self.head_rows * math.prod(self.shape[1:])
        return BLOCKS[self.spec.dtype][0] if self.spec.dtype in BLOCKS else 1


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

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its config.json in full weights: of a GGUF it follows from the metadata, of codes it says so no longer."""
        if self.checkpoint.form == "gguf":
            return gguf_config(self.checkpoint)
        return {key: value for key, value in self.checkpoint.config.items() if key != "quantization_config"}

    @property
    def is_codes(self) -> bool:
        """Whether weights are only values once they are scaled."""
        return any(source.scales is not None for source in self.values())

    @property
    def tied(self) -> bool:
        """Whether the output head is the input embedding."""
        return is_tied(self.checkpoint) if self.checkpoint.form == "gguf" else _tied(self.checkpoint)

    @cached_property
    def vocabulary(self) -> Mapping[str, int] | None:
        """Token -> id; None where nothing says."""
        if self.checkpoint.form == "gguf":
            return gguf_vocabulary(self.checkpoint)
        return vocabulary(self.folder)

    def __getitem__(self, name: str) -> Source:
        return self.sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)


def full_model(name: str, checkpoint: Checkpoint, adapter: Checkpoint | None = None) -> Model:
    """A checkpoint, or an adapter on its base, as full weights; a tied output head is left out: it is the embedding."""
    if checkpoint.form == "gguf":
        return _of_gguf(name, checkpoint)
    if checkpoint.form != "full":
        raise CheckpointError(f"{name}: {checkpoint.folder} is an adapter; its base is needed to see full weights")
    scales, beside = scales_of(checkpoint, name) if checkpoint.config.get("quantization_config") else ({}, set[str]())
    updates = {} if adapter is None else low_rank_updates(adapter, checkpoint)
    tied = _tied(checkpoint)
    if tied and updates.keys() & set(_HEADS):
        raise CheckpointError(f"{name}: adapts the output head, but its config says it is tied to the embedding")
    left_out = {*beside, *(_HEADS if tied else ())}
    kept = {key: spec for key, spec in checkpoint.items() if key not in left_out}
    sources = {key: Source(name, spec, updates.get(key), scales.get(key)) for key, spec in kept.items()}
    return Model(name, checkpoint, adapter, sources)


def _of_gguf(name: str, checkpoint: Checkpoint) -> Model:
    found = gguf_tensors(checkpoint).items()
    sources = {key: Source(name, spec, head_rows=head_rows) for key, (spec, head_rows) in found}
    return Model(name, checkpoint, None, sources)


def _tied(checkpoint: Checkpoint) -> bool:
    """What the config says; old ones leave out their architecture's default, and a stored head then tells it."""
    stored = any(head in checkpoint for head in _HEADS)
    return bool(checkpoint.config.get("tie_word_embeddings", not stored))
