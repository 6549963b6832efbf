"""How well a model predicts texts: perplexity, bits per byte, and divergence from a reference model.

A text's documents are read in windows of `context` tokens that do not overlap: a window's inputs are tokens
[k * context, (k + 1) * context), its targets the same shifted by one. So every token but the very first of a document
is predicted exactly once, from the part of its window before it. The nats of all predicted tokens are added up in
float64; perplexity is exp(nats / predicted tokens), bits per byte nats / ln 2 / the UTF-8 bytes of the documents (the
unpredicted first token's bytes included). The log-softmax is float32.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast, final

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lineal.engines.language_model import context_length, encode, load_model, load_tokenizer
from lineal.engines.text import Tokens, read_documents
from lineal.errors import MethodError, StorageError

Progress: TypeAlias = Callable[[int, int], None]
"""Called after each batch with the tokens predicted and all tokens to predict, over all texts."""

LARGEST_CONTEXT = 1024
"""What `context` is without being asked for, where the model has more positions."""


@final
@dataclass(frozen=True)
class Scores:
    """One model on one text. tokens: predicted ones; bytes: of the text; kl: nats a token, KL(reference || model)."""

    perplexity: float
    bits_per_byte: float
    tokens: int
    bytes: int
    kl: float | None = None


@final
@dataclass(frozen=True)
class _Text:
    windows: Sequence[Tokens]
    """Each is one token longer than its inputs: the last is only a target."""
    bytes: int

    @property
    def tokens(self) -> int:
        return sum(len(window) - 1 for window in self.windows)


def evaluate(
    model_folder: Path,
    texts: Mapping[str, Path],
    *,
    base_folder_for_adapter: Path | None = None,
    reference: Path | None = None,
    base_folder_for_reference: Path | None = None,
    context: int | None = None,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> dict[str, Scores]:
    """Score a model on each text, by name. The reference must have the model's tokenizer."""
    tokenizer = load_tokenizer(model_folder, base_folder_for_adapter)
    documents = {name: read_documents(path) for name, path in texts.items()}
    model = load_model(model_folder, base_folder_for_adapter)
    compared = None
    if reference is not None:
        compared = load_model(reference, base_folder_for_reference)
        others = load_tokenizer(reference, base_folder_for_reference)
        _check_comparable(model, compared, tokenizer, others, documents)
    window = _context(model, context)
    prepared = {name: _prepare(name, tokenizer, found, window) for name, found in documents.items()}
    counter = _Counter(sum(text.tokens for text in prepared.values()), progress)
    return {name: _score(model, compared, text, batch_size, counter) for name, text in prepared.items()}


def _context(model: PreTrainedModel, asked: int | None) -> int:
    bound = context_length(model)
    if asked is None:
        return min(bound or LARGEST_CONTEXT, LARGEST_CONTEXT)
    if asked < 1 or (bound is not None and asked > bound):
        raise MethodError(f"evaluation: context must be in [1, {bound}], the model's positions, got {asked}")
    return asked


def _prepare(name: str, tokenizer: PreTrainedTokenizerBase, documents: Sequence[str], context: int) -> _Text:
    windows = [
        tokens[start : start + context + 1]
        for tokens in encode(tokenizer, documents)
        for start in range(0, len(tokens) - 1, context)
    ]
    if not windows:
        raise StorageError(f"evaluation: {name}: a document of at least 2 tokens is needed")
    return _Text(windows, sum(len(document.encode()) for document in documents))


@torch.inference_mode()
def _score(
    model: PreTrainedModel, reference: PreTrainedModel | None, text: _Text, batch_size: int, counter: "_Counter"
) -> Scores:
    nats = divergence = 0.0
    for batch in _batches(text.windows, batch_size):
        inputs, targets = batch[:, :-1], batch[:, 1:]
        logits = model(input_ids=inputs, use_cache=False).logits
        compared = None if reference is None else reference(input_ids=inputs, use_cache=False).logits
        for row in range(len(batch)):  # a row at a time: the float32 copies of a whole batch may not fit
            predicted = torch.log_softmax(logits[row].float(), -1)
            nats -= predicted.gather(-1, targets[row, :, None]).double().sum().item()
            if compared is not None:
                divergence += _divergence(torch.log_softmax(compared[row].float(), -1), predicted)
        counter.add(targets.numel())
    tokens = text.tokens
    kl = None if reference is None else divergence / tokens
    return Scores(_exp(nats / tokens), nats / math.log(2) / text.bytes, tokens, text.bytes, kl)


def _divergence(reference: Tensor, predicted: Tensor) -> float:
    """KL(reference || predicted) summed over tokens, from log-probabilities [tokens, vocabulary]."""
    return (reference.exp() * (reference - predicted)).double().sum().item()


def _batches(windows: Sequence[Tokens], batch_size: int) -> Iterator[Tensor]:
    """Windows of one length together, so that nothing is padded."""
    by_length: dict[int, list[Tokens]] = {}
    for window in windows:
        by_length.setdefault(len(window), []).append(window)
    for alike in by_length.values():
        for start in range(0, len(alike), batch_size):
            yield torch.from_numpy(np.stack(alike[start : start + batch_size])).long()


def _exp(nats: float) -> float:
    """A model that gives a token no chance at all has an infinite perplexity, not an overflow."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf


def _check_comparable(
    model: PreTrainedModel,
    reference: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    others: PreTrainedTokenizerBase,
    documents: Mapping[str, Sequence[str]],
) -> None:
    sizes = [cast(int, m.config.get_text_config().vocab_size) for m in (model, reference)]
    if sizes[0] != sizes[1]:
        raise MethodError(f"evaluation: the model has {sizes[0]} tokens, the reference {sizes[1]}: no common KL")
    for name, found in documents.items():
        pairs = zip(encode(tokenizer, found), encode(others, found), strict=True)
        if not all(np.array_equal(ours, theirs) for ours, theirs in pairs):
            raise MethodError(f"evaluation: the tokenizers of model and reference split {name!r} differently")


@final
class _Counter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, tokens: int) -> None:
        self._done += tokens
        if self._progress is not None:
            self._progress(self._done, self._total)
