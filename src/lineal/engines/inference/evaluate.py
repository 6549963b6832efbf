"""How well a model predicts texts: perplexity, bits per byte, and divergence from a reference model.

A text's documents are read in windows of `context` tokens. Every token but the very first of a document is predicted
exactly once, from the part of its window before it; where the tokenizer puts a token before a text, every window begins
with it. The nats of all predicted tokens are added up in float64; perplexity is exp(nats / predicted tokens), bits per
byte nats / ln 2 / the UTF-8 bytes of the documents (the unpredicted first token's bytes included). The log-softmax is
float32.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lineal.engines.inference.language_model import ModelFolder, context_length, encode
from lineal.engines.inference.prediction import Predictor, vocabulary_size
from lineal.engines.text.batches import NOT_COUNTED
from lineal.engines.text.documents import read_documents
from lineal.engines.text.encoding import Encoder, Remark
from lineal.engines.text.windows import Window, batches_of, windows_of
from lineal.errors import MethodError, StorageError
from lineal.shown import quoted

Progress: TypeAlias = Callable[[int, int], None]
"""Called after each batch with the tokens predicted and all tokens to predict, over all texts."""

LARGEST_CONTEXT = 1024
"""What `context` is without being asked for, where the model has more positions."""

_MEBIBYTE = 2**20
_COPIES, _COPIES_COMPARED = 3, 6
"""Float32 arrays of the size of a part's logits that are held at once, of one model alone and beside a reference."""


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
class Reading:
    """How texts are read. context: tokens a window, at most LARGEST_CONTEXT where it is not said.

    batch_tokens: of the windows that go through the model side by side. logits_mebibytes: what the logits, and what is
    computed from them, may take at once.
    """

    context: int | None = None
    dtype: torch.dtype = torch.float32
    batch_tokens: int = 1024
    logits_mebibytes: int = 128


def evaluate(
    model: ModelFolder,
    texts: Mapping[str, Path],
    *,
    reference: ModelFolder | None = None,
    reading: Reading | None = None,
    progress: Progress | None = None,
    remark: Remark | None = None,
) -> Iterator[tuple[str, Scores]]:
    """Score a model on each text, by name, as they are finished. The reference must have the model's tokenizer."""
    reading = reading or Reading()
    documents = {name: read_documents(path) for name, path in texts.items()}
    encoder = Encoder(model.tokenizer(), remark)
    loaded = [one.load(reading.dtype) for one in (model, reference) if one is not None]
    if reference is not None:
        _check_comparable(loaded, (model.tokenizer(), reference.tokenizer()), documents)
    window = _context(loaded[0], reading.context)
    prepared = {name: _prepare(name, encoder, found, window) for name, found in documents.items()}
    copies = _COPIES if reference is None else _COPIES_COMPARED
    positions = max(1, reading.logits_mebibytes * _MEBIBYTE // (4 * vocabulary_size(loaded[0]) * copies))
    predictors = [Predictor(one, positions) for one in loaded]
    if remark is not None and not all(predictor.in_parts for predictor in predictors):
        remark("all logits of a batch are held at once: the head of this architecture cannot be run by itself")
    counter = _Counter(sum(text.tokens for text in prepared.values()), progress)
    for name, text in prepared.items():
        yield name, _score(predictors, text, reading.batch_tokens, positions, counter)


@final
@dataclass(frozen=True)
class _Text:
    windows: Sequence[Window]
    bytes: int

    @property
    def tokens(self) -> int:
        return sum(window.predicted for window in self.windows)


def _context(model: PreTrainedModel, asked: int | None) -> int:
    bound = context_length(model)
    if asked is None:
        return min(bound or LARGEST_CONTEXT, LARGEST_CONTEXT)
    if asked < 1 or (bound is not None and asked > bound):
        raise MethodError(f"evaluation: context must be in [1, {bound}], the model's positions, got {asked}")
    return asked


def _prepare(name: str, encoder: Encoder, documents: Sequence[str], context: int) -> _Text:
    encoded = encoder.documents(documents)
    windows = [window for tokens in encoded for window in windows_of(tokens, context, encoder.before)]
    if not windows:
        raise StorageError(f"evaluation: {name}: a document of at least 2 tokens is needed")
    return _Text(windows, sum(len(document.encode()) for document in documents))


@torch.inference_mode()
def _score(
    predictors: Sequence[Predictor], text: _Text, batch_tokens: int, positions: int, counter: "_Counter"
) -> Scores:
    nats = divergence = 0.0
    if not all(predictor.in_parts for predictor in predictors):
        batch_tokens = positions
    for batch in batches_of(text.windows, batch_tokens):
        counted = batch.targets != NOT_COUNTED
        parts = zip(*(predictor.logits(batch.inputs, counted) for predictor in predictors), strict=True)
        for logits, targets in zip(parts, batch.targets[counted].split(positions), strict=True):
            nats += cross_entropy(logits[0], targets, reduction="none").double().sum().item()
            divergence += _divergence(*logits) if len(logits) == 2 else 0.0
        counter.add(int(counted.sum()))
    tokens = text.tokens
    kl = divergence / tokens if len(predictors) == 2 else None
    return Scores(_exp(nats / tokens), nats / math.log(2) / text.bytes, tokens, text.bytes, kl)


def _divergence(predicted: Tensor, reference: Tensor) -> float:
    """KL(reference || predicted) summed over positions, from logits [positions, vocabulary]."""
    theirs = torch.log_softmax(reference, -1)
    apart = theirs - torch.log_softmax(predicted, -1)
    return apart.mul_(theirs.exp_()).double().sum().item()


def _exp(nats: float) -> float:
    """A model that gives a token no chance at all has an infinite perplexity, not an overflow."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf


def _check_comparable(
    models: Sequence[PreTrainedModel],
    tokenizers: tuple[PreTrainedTokenizerBase, PreTrainedTokenizerBase],
    documents: Mapping[str, Sequence[str]],
) -> None:
    sizes = [vocabulary_size(model) for model in models]
    if sizes[0] != sizes[1]:
        raise MethodError(f"evaluation: the model has {sizes[0]} tokens, the reference {sizes[1]}: no common KL")
    for name, found in documents.items():
        pairs = zip(*(encode(tokenizer, found) for tokenizer in tokenizers), strict=True)
        if not all(np.array_equal(ours, theirs) for ours, theirs in pairs):
            raise MethodError(f"evaluation: the tokenizers of model and reference split {quoted(name)} differently")


@final
class _Counter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, tokens: int) -> None:
        self._done += tokens
        if self._progress is not None:
            self._progress(self._done, self._total)
