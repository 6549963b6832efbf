"""Blocks of tokens side by side, as the tensors that one forward pass reads."""

from collections.abc import Sequence
from typing import TypedDict, final

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lineal.engines.text.documents import Tokens
from lineal.engines.text.packing import Course

NOT_COUNTED = -100
"""The label of a position that counts nowhere."""


class Batch(TypedDict):
    """Blocks of tokens as integers [blocks, tokens].

    `shift_labels` holds the token that follows each position; `labels` the tokens themselves, by which transformers
    decides that there is something to count.
    """

    input_ids: Tensor
    labels: Tensor
    shift_labels: Tensor


@final
class CourseDataset(Dataset[Tokens]):
    """The blocks of a course, in its order."""

    def __init__(self, course: Course) -> None:
        self._course = course

    def __len__(self) -> int:
        return len(self._course)

    def __getitem__(self, index: int) -> Tokens:
        return self._course[index]


def collate(blocks: Sequence[Tokens]) -> Batch:
    """Blocks side by side; a short one is padded behind its end, where causal attention does not look."""
    length = max(len(block) for block in blocks)
    inputs = torch.zeros((len(blocks), length), dtype=torch.long)
    labels = torch.full((len(blocks), length), NOT_COUNTED)
    for row, block in enumerate(blocks):
        inputs[row, : len(block)] = labels[row, : len(block)] = torch.from_numpy(block).long()
    following = torch.full_like(labels, NOT_COUNTED)
    following[:, :-1] = labels[:, 1:]
    return Batch(input_ids=inputs, labels=labels, shift_labels=following)
