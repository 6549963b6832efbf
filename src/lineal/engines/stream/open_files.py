"""File descriptors that all threads of a pass share; of many files only some are open at once."""

import os
import resource
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from lineal.checkpoint.reader import read_exactly

_MOST: Final = 512


def _allowed() -> int:
    """As many, or half of what the system allows, where that is less: the child's files are open, too."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if limit == resource.RLIM_INFINITY else max(1, min(_MOST, limit // 2))


@final
@dataclass(slots=True)
class _Open:
    descriptor: int
    readers: int = 0


@final
class OpenFiles:
    """Reads name their offsets, so threads share descriptors. One that nobody reads from may be closed for another."""

    def __init__(self, most: int | None = None) -> None:
        """most: how many files are kept open."""
        self._most = most or _allowed()
        self._open: OrderedDict[Path, _Open] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, buffer: memoryview, offset: int) -> None:
        """Fill the buffer from the file."""
        with self._lock:
            one = self._open.get(path) or self._opened(path)
            one.readers += 1
        try:
            read_exactly(one.descriptor, buffer, offset, path)
        finally:
            with self._lock:
                one.readers -= 1

    def _opened(self, path: Path) -> _Open:
        """Called with the lock held; what was opened first is closed first, as passes go through their models."""
        if len(self._open) >= self._most:
            idle = next((other for other, one in self._open.items() if not one.readers), None)
            if idle is not None:
                os.close(self._open.pop(idle).descriptor)
        self._open[path] = one = _Open(os.open(path, os.O_RDONLY))
        return one

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._open.values():
            os.close(one.descriptor)
