"""Documents cut into windows, each of which is predicted from itself alone, and windows side by side as batches."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from lineal.engines.text.batches import NOT_COUNTED
from lineal.engines.text.documents import Tokens
from lineal.errors import MethodError

_LARGEST_WASTE = 1 / 16
"""Share of a batch that may be padding."""


@final
class Window(NamedTuple):
    """tokens: one more than its inputs, since the last is only a target. skipped: targets that count elsewhere."""

    tokens: Tokens
    skipped: int = 0

    @property
    def inputs(self) -> int:
        return len(self.tokens) - 1

    @property
    def predicted(self) -> int:
        return self.inputs - self.skipped


@final
class WindowBatch(NamedTuple):
    """Inputs and the token that follows each, or NOT_COUNTED; both [windows, tokens]."""

    inputs: Tensor
    targets: Tensor


def windows_of(document: Tokens, context: int, beginning: Sequence[int]) -> Iterator[Window]:
    """Windows of at most `context` inputs that predict every token but the first of the document once.

    beginning: what the tokenizer puts before a text. Later windows begin with it like the first: models were trained to
    see it, and some are lost without it.
    """
    if len(document) < 2:
        return
    yield Window(document[: context + 1])
    step = context - len(beginning)
    if step < 1 and len(document) > context + 1:
        raise MethodError(f"evaluation: a context of {context} tokens holds no more than the beginning of a text")
    head = np.array(beginning, np.int32)
    for start in range(context, len(document) - 1, step):
        yield Window(np.concatenate([head, document[start : start + step + 1]]), len(beginning))


def batches_of(windows: Sequence[Window], tokens: int) -> Iterator[WindowBatch]:
    """Windows of about one length together, at most `tokens` inputs with their padding, or one window.

    A short one is padded behind its end, where causal attention does not look.
    """
    batch: list[Window] = []
    for window in sorted(windows, key=lambda window: -window.inputs):
        longest, count = (batch or [window])[0].inputs, len(batch) + 1
        filled = sum(other.inputs for other in batch) + window.inputs
        if batch and (count * longest > tokens or filled < (1 - _LARGEST_WASTE) * count * longest):
            yield _side_by_side(batch)
            batch = []
        batch.append(window)
    if batch:
        yield _side_by_side(batch)


def _side_by_side(windows: Sequence[Window]) -> WindowBatch:
    shape = len(windows), windows[0].inputs
    inputs, targets = torch.zeros(shape, dtype=torch.long), torch.full(shape, NOT_COUNTED)
    for row, window in enumerate(windows):
        read = torch.from_numpy(window.tokens).long()
        inputs[row, : window.inputs] = read[:-1]
        targets[row, window.skipped : window.inputs] = read[1 + window.skipped :]
    return WindowBatch(inputs, targets)
