"""Documents packed into blocks of tokens, and which blocks a training reads in which order."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from lineal.engines.text.documents import Tokens
from lineal.errors import MethodError, StorageError
from lineal.methods.finetune.training import Training
from lineal.randomness import uniforms

_ORDER = "lineal.data-order"


@final
@dataclass(frozen=True)
class Blocks:
    """All tokens of the data in one row, cut every `sequence_length` tokens; the last block may be shorter."""

    tokens: Tokens
    sequence_length: int

    def __len__(self) -> int:
        return math.ceil(len(self.tokens) / self.sequence_length)

    def __getitem__(self, index: int) -> Tokens:
        start = index * self.sequence_length
        return self.tokens[start : start + self.sequence_length]

    @property
    def content_hash(self) -> str:
        return blake3(self.tokens.tobytes()).hexdigest()


def pack(documents: Iterable[Tokens], end_of_document: int, sequence_length: int) -> Blocks:
    """Join encoded documents, each ended by one end-of-document token, and cut the row into blocks."""
    end = np.array([end_of_document], np.int32)
    row = [piece for document in documents for piece in (document, end[: not _ends_with(document, end_of_document)])]
    tokens = np.concatenate([np.empty(0, np.int32), *row])
    if len(tokens) < 2:
        raise StorageError(f"the data is {len(tokens)} tokens; training needs at least 2")
    return Blocks(tokens, sequence_length)


def _ends_with(document: Tokens, token: int) -> bool:
    return len(document) > 0 and int(document[-1]) == token


@final
@dataclass(frozen=True)
class Course:
    """The blocks that a training reads: epoch by epoch, each in an order of its own drawn from the seed."""

    blocks: Blocks
    length: int
    """Blocks read in all."""
    epochs: int
    """How often the data is begun."""
    seed: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int) -> Tokens:
        epoch, place = divmod(position, len(self.blocks))
        return self.blocks[self._order(epoch)[place]]

    @property
    def tokens(self) -> int:
        """Tokens read in all; only the last block of the data can be short."""
        last = len(self.blocks) - 1
        missing = self.blocks.sequence_length - len(self.blocks[last])
        whole, rest = divmod(self.length, len(self.blocks))
        short_blocks = whole + int(last in self._order(whole)[:rest].tolist())
        return self.length * self.blocks.sequence_length - short_blocks * missing

    def _order(self, epoch: int) -> NDArray[np.intp]:
        return _order(self.seed, epoch, len(self.blocks))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, blocks: int) -> NDArray[np.intp]:
    """A permutation of the blocks; the generator knows nothing of threads, so neither does the order."""
    return np.argsort(uniforms(seed, _ORDER, epoch, 0, blocks), kind="stable")


def plan_course(training: Training, blocks: Blocks) -> Course:
    """Epochs as asked for, or as many blocks as a budget of tokens takes; the budget then sets the epochs."""
    if training.tokens is None:
        return Course(blocks, training.epochs * len(blocks), training.epochs, training.seed)
    epochs = max(1, math.ceil(training.tokens / len(blocks.tokens)))
    if training.epochs not in (1, epochs):
        raise MethodError(
            f"{training.name}: epochs {training.epochs} and tokens {training.tokens:,} contradict each other: "
            f"of {len(blocks.tokens):,} tokens that budget is {epochs} epochs; set one of the two"
        )
    return Course(blocks, math.ceil(training.tokens / blocks.sequence_length), epochs, training.seed)
