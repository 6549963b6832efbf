"""A model that others are derived from: full weights under transformers' names, a config, a vocabulary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, final

from lineal.checkpoint.adapter import low_rank_updates
from lineal.checkpoint.package import vocabulary
from lineal.checkpoint.reader import Checkpoint, read_json
from lineal.checkpoint.scaled import scales_of
from lineal.engines.chat_templates import DEFAULT, chat_templates
from lineal.engines.gathered import Gathered, Input
from lineal.engines.gguf_parent import gguf_config, gguf_tensors, gguf_vocabulary
from lineal.engines.llama_of_gguf import is_tied
from lineal.engines.sources import Source
from lineal.engines.tokenizer_files import SETTINGS, TOKENIZER
from lineal.engines.tokenizer_of_gguf import chat_template, tokenizer_json
from lineal.errors import CheckpointError

GGUF_IS_NO_PARENT = "is a GGUF, which merges take and nothing else; name the model it was made from"

_HEADS = ("lm_head.weight",)


@final
@dataclass(frozen=True)
class Model(Mapping[str, Input]):
    """A parent as full weights, tensor by tensor, whatever it is on disk.

    name: as the user knows it, for messages; checkpoint: the full weights; adapter: on top of them, or None;
    gathered: what takes the place of sources in another vocabulary.
    """

    name: str
    checkpoint: Checkpoint
    adapter: Checkpoint | None
    sources: Mapping[str, Source]
    gathered: Mapping[str, Gathered] = field(default_factory=dict[str, Gathered])

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
        return any(source.scales is not None for source in self.sources.values())

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

    @cached_property
    def chat_templates(self) -> Mapping[str, str]:
        """Name -> template."""
        if self.checkpoint.form == "gguf":
            template = chat_template(self.checkpoint)
            return {} if template is None else {DEFAULT: template}
        settings = self.folder / SETTINGS
        return chat_templates(self.folder, read_json(settings) if settings.is_file() else {})

    @property
    def added_tokens(self) -> Sequence[Mapping[str, Any]]:
        """The tokens that are found in a text before it is cut into words, as a tokenizer.json has them."""
        if self.checkpoint.form == "gguf":
            return tokenizer_json(self.checkpoint)["added_tokens"]
        return read_json(self.folder / TOKENIZER).get("added_tokens") or ()

    def __getitem__(self, name: str) -> Input:
        return self.gathered.get(name) or self.sources[name]

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
