"""Headers that were read, kept as long as their files stay the same: a command opens its models again and again."""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, Generic, TypeAlias, TypeVar, final

M = TypeVar("M")
T = TypeVar("T")

_MOST_TENSORS: Final = 1_000_000
"""Of all headers together that are kept."""
_RACY_NS: Final = 50_000_000
"""A file changed this recently could change again within one tick of the file system's clock: not kept."""

_Signature: TypeAlias = tuple[str, int, int, int, int, int]


@final
class KeptHeaders(Generic[T, M]):
    """The tensors and metadata of files by their state: path, inode, size, times of the last change. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Signature, tuple[Mapping[str, T], M]] = OrderedDict()
        self._tensors = 0
        self._lock = threading.Lock()

    def read(self, path: Path, parse: Callable[[BinaryIO], tuple[Mapping[str, T], M]]) -> tuple[Mapping[str, T], M]:
        """What `parse` makes of the file, or made of it before."""
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            state = (str(path), before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns)
            with self._lock:
                if state in self._kept:
                    self._kept.move_to_end(state)
                    return self._kept[state]
            found = parse(file)
        if time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > _RACY_NS:
            self._keep(state, found)
        return found

    def _keep(self, state: _Signature, found: tuple[Mapping[str, T], M]) -> None:
        with self._lock:
            if state not in self._kept:
                self._kept[state] = found
                self._tensors += len(found[0])
            while self._tensors > _MOST_TENSORS and len(self._kept) > 1:
                _, (tensors, _) = self._kept.popitem(last=False)
                self._tensors -= len(tensors)
