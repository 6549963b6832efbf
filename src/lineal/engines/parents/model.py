"""A model that others are derived from: full weights under transformers' names, a config, a vocabulary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

from lineal.checkpoint.adapter.adapter import LowRankUpdate, low_rank_updates
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.known import Layout
from lineal.checkpoint.layouts.views import View, seen
from lineal.checkpoint.names.tied_heads import heads, says_tied, stored_heads, untied
from lineal.checkpoint.package import has_tokenizer, vocabulary
from lineal.checkpoint.quantized.coded import Coded
from lineal.checkpoint.quantized.folder import cache_scales
from lineal.checkpoint.quantized.formats import quantized_weights
from lineal.checkpoint.reader import Checkpoint
from lineal.checkpoint.stated_dtype import require_dtype
from lineal.checkpoint.tokenizer_types import read_tokenizer_json
from lineal.engines.parents.coded import as_weight, coded_source, weights
from lineal.engines.parents.stated import config_of, vocabulary_of
from lineal.engines.stream.gathered import Gathered, Input
from lineal.engines.stream.source import Source
from lineal.engines.tokenizers.chat_templates import DEFAULT, chat_templates
from lineal.engines.tokenizers.tokenizer_files import settings_of
from lineal.errors import CheckpointError
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Model(Mapping[str, Input]):
    """A parent as full weights, tensor by tensor, whatever it is on disk.

    name: as the user knows it, for messages; checkpoint: the full weights; adapter: on top of them, or None;
    gathered: what takes the place of sources in another vocabulary; remarks: what of it does not go into a child;
    rules: 2 where rules 1 would have made something else of it; layouts: those it is stored in, other than the one that
    its architecture is published in, which its sources are in.
    """

    name: str
    checkpoint: Checkpoint
    adapter: Checkpoint | None
    sources: Mapping[str, Source]
    gathered: Mapping[str, Gathered] = field(default_factory=dict[str, Gathered])
    remarks: tuple[str, ...] = ()
    rules: int = 1
    layouts: tuple[Layout, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the config and tokenizer of the full model lie."""
        return self.checkpoint.folder

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its config.json in full weights: of a GGUF it follows from the metadata, of codes it says nothing.

        With a head of its own it says that it is not tied, whatever is stored.
        """
        config = config_of(self.checkpoint)
        return untied(config) if says_tied(config) and heads(self.sources) else config

    @property
    def tied(self) -> bool:
        """Whether the output head is the input embedding."""
        return says_tied(self.config)

    @cached_property
    def tokenizer_folder(self) -> Path:
        """Where its tokenizer lies: in a GGUF, else beside the weights, else beside the adapter on top of them."""
        if self.checkpoint.form == "gguf":
            return self.folder
        places = (self.folder, *(() if self.adapter is None else (self.adapter.folder,)))
        return next((place for place in places if has_tokenizer(place)), self.folder)

    @property
    def has_tokenizer(self) -> bool:
        """Whether texts can be read with what lies there."""
        if self.checkpoint.form == "gguf":
            return self.vocabulary is not None
        return has_tokenizer(self.tokenizer_folder)

    @cached_property
    def vocabulary(self) -> Mapping[str, int] | None:
        """Token -> id; None where nothing says."""
        if self.checkpoint.form == "gguf":
            return vocabulary_of(self.checkpoint)
        return vocabulary(self.tokenizer_folder)

    @cached_property
    def chat_templates(self) -> Mapping[str, str]:
        """Name -> template."""
        if self.checkpoint.form == "gguf":
            from lineal.engines.gguf.tokenizer_back import chat_template

            template = chat_template(self.checkpoint)
            return {} if template is None else {DEFAULT: template}
        return chat_templates(self.tokenizer_folder, settings_of(self.tokenizer_folder))

    @property
    def added_tokens(self) -> Sequence[Mapping[str, Any]]:
        """The tokens that are found in a text before it is cut into words, as a tokenizer.json has them."""
        if self.checkpoint.form == "gguf":
            from lineal.engines.gguf.tokenizer_back import tokenizer_json

            return tokenizer_json(self.checkpoint)["added_tokens"]
        return read_tokenizer_json(self.tokenizer_folder).get("added_tokens") or ()

    def __getitem__(self, name: str) -> Input:
        return self.gathered[name] if name in self.gathered else self.sources[name]

    def __contains__(self, name: object) -> bool:
        return name in self.sources

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)


def full_model(name: str, checkpoint: Checkpoint, adapter: Checkpoint | None = None) -> Model:
    """A checkpoint, or an adapter on its base, as full weights; a head that is a copy of the embedding is left out."""
    if checkpoint.form == "gguf":
        return _adapted(_of_gguf(name, checkpoint), adapter)
    if checkpoint.form != "full":
        raise CheckpointError(f"{name}: {checkpoint.folder} is an adapter; its base is needed to see full weights")
    require_dtype(checkpoint)
    quantized = quantized_weights(checkpoint, name)
    coded = quantized.coded
    head = stored_heads(checkpoint, coded)
    stored = weights(checkpoint, quantized)
    found, layouts = _as_published(name, stored, checkpoint.config)
    published = {key: as_weight(view, coded.get(view.whole)) for key, view in found.items()}
    updates = {} if adapter is None else low_rank_updates(adapter, published, checkpoint.config)
    if updates.keys() & head.copies:
        raise CheckpointError(f"{name}: adapts the output head, but its config says it is tied to the embedding")
    if head.own and checkpoint.config.get("is_encoder_decoder") and says_tied(checkpoint.config):
        raise CheckpointError(
            f"{name}: its config ties {quoted(min(head.own))} to the embedding, and it differs; "
            "of an encoder and decoder it cannot be said to be untied, since the same key scales the logits"
        )
    sources = {
        key: _source(name, stored, view, updates.get(key), coded.get(view.whole))
        for key, view in found.items()
        if view.whole not in head.copies
    }
    dropped = len(cache_scales(checkpoint)) if quantized.coded else 0
    remarks = [f"{dropped} scales of a quantized cache in {name} do not go into the child"] if dropped else []
    if not head.known:
        remarks.append(f"whether the stored head of {name} differs from its embedding is unknown until downloaded")
    moved = any(view.whole in coded and view.whole != key for key, view in found.items())
    rules = 2 if dropped or moved else head.rules
    return Model(name, checkpoint, adapter, sources, remarks=tuple(remarks), rules=rules, layouts=layouts)


def _adapted(model: Model, adapter: Checkpoint | None) -> Model:
    """A GGUF with an adapter on it, whose updates are added to the decoded weights."""
    if adapter is None:
        return model
    weights = {key: replace(source.spec, name=key, dtype=source.dtype) for key, source in model.sources.items()}
    updates = low_rank_updates(adapter, weights, model.config)
    sources = {key: replace(source, update=updates.get(key)) for key, source in model.sources.items()}
    return replace(model, adapter=adapter, sources=sources)


def _as_published(
    name: str, stored: Mapping[str, TensorSpec], config: Mapping[str, Any]
) -> tuple[Mapping[str, View], tuple[Layout, ...]]:
    """The tensors by published names, and the layouts that they are stored in; as stored where those are not known."""
    found = seen(stored, config, name)
    if found is None:
        return {key: View(spec, key) for key, spec in stored.items()}, ()
    return found.views, found.layouts


def _source(
    name: str, stored: Mapping[str, TensorSpec], view: View, update: LowRankUpdate | None, codes: Coded | None
) -> Source:
    if codes is not None:
        return coded_source(name, codes, view, update)
    whole, spec = stored[view.whole], view.spec
    if spec is not whole and spec.byte_length == whole.byte_length:
        spec = replace(spec, name=whole.name)
    return Source(name, spec, update, turn=view.turn)


def _of_gguf(name: str, checkpoint: Checkpoint) -> Model:
    from lineal.engines.gguf.parent import gguf_tensors

    found = gguf_tensors(checkpoint).items()
    sources = {key: Source(name, one.spec, turn=one.turn, added=one.added) for key, one in found}
    return Model(name, checkpoint, None, sources)
