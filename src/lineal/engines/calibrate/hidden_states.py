"""What stands before a block, of all samples: in a file, for a model's width times a text is more than memory is for.

A file has its name only once it is whole, so what a killed run left under that name can be gone on from.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast, final

import numpy as np
import torch
from torch import Tensor

from lineal.checkpoint.written.writer import check_space
from lineal.engines.calibrate.plan import BATCH_TOKENS
from lineal.errors import StorageError
from lineal.system_words import reason


@final
class HiddenStates:
    """float32 [samples, context, width]."""

    def __init__(self, path: Path, shape: tuple[int, int, int], *, new: bool = False) -> None:
        self.path, self.shape, self._new = path, shape, new
        self._unfinished = path.with_suffix(".unfinished")
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC if new else os.O_RDONLY
        try:
            if new:
                check_space(path.parent, self.byte_length)
            self._file = os.open(self._unfinished if new else path, flags, 0o644)
        except OSError as error:
            raise StorageError(f"{path}: {reason(error)}") from None

    @property
    def byte_length(self) -> int:
        samples, context, width = self.shape
        return 4 * samples * context * width

    def batches(self) -> Iterator[tuple[int, Tensor]]:
        """The first sample of some, and these: [some, context, width]."""
        samples, context, _ = self.shape
        count = max(1, BATCH_TOKENS // context)
        for start in range(0, samples, count):
            yield start, self.read(start, min(count, samples - start))

    def read(self, start: int, count: int) -> Tensor:
        states = torch.empty((count, *self.shape[1:]))
        raw, done = _raw(states), 0
        while done < len(raw):
            read = os.preadv(self._file, [raw[done:]], self._offset(start) + done)
            if read == 0:
                raise StorageError(f"{self.path}: ends too early")
            done += read
        return states

    def write(self, start: int, states: Tensor) -> None:
        raw, done = _raw(states.contiguous()), 0
        try:
            while done < len(raw):
                done += os.pwrite(self._file, raw[done:], self._offset(start) + done)
        except OSError as error:
            raise StorageError(f"{self.path}: {reason(error)}") from None

    def keep(self) -> None:
        """All is written: give it its name."""
        os.fsync(self._file)
        self._unfinished.rename(self.path)

    def remove(self) -> None:
        self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def _offset(self, start: int) -> int:
        _, context, width = self.shape
        return 4 * start * context * width


def _raw(states: Tensor) -> memoryview:
    return cast(Any, states.numpy().reshape(-1).view(np.uint8)).data
