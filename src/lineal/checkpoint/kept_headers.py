"""Headers that were read, kept as long as their files stay the same: a command opens its models again and again."""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, Generic, Protocol, Self, TypeAlias, TypeVar, final

M = TypeVar("M")

_MOST_TENSORS: Final = 1_000_000
"""Of all headers together that are kept."""
_RACY_NS: Final = 50_000_000
"""A file changed this recently could change again within one tick of the file system's clock: not kept."""

_State: TypeAlias = tuple[int, ...]


class Located(Protocol):
    """What lies in a file."""

    def at(self, path: Path) -> Self:
        """The same where the file is called so."""
        ...


T = TypeVar("T", bound=Located)


@final
class KeptHeaders(Generic[T, M]):
    """The tensors and metadata of files by their state: inode, size, times of the last change. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_State, tuple[Path, Mapping[str, T], M]] = OrderedDict()
        self._tensors = 0
        self._lock = threading.Lock()

    def read(self, path: Path, parse: Callable[[BinaryIO], tuple[Mapping[str, T], M]]) -> tuple[Mapping[str, T], M]:
        """What `parse` makes of the file, or made of it before."""
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            state = (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns)
            found = self._recall(state, path) or parse(file)
        if time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > _RACY_NS:
            self._keep(state, path, *found)
        return found

    def _recall(self, state: _State, path: Path) -> tuple[Mapping[str, T], M] | None:
        with self._lock:
            if state not in self._kept:
                return None
            known_as, tensors, metadata = self._kept[state]
        if known_as != path:  # a folder around it got another name, as a child does when it is published
            tensors = {name: tensor.at(path) for name, tensor in tensors.items()}
        return tensors, metadata

    def _keep(self, state: _State, path: Path, tensors: Mapping[str, T], metadata: M) -> None:
        with self._lock:
            if state in self._kept:
                self._tensors -= len(self._kept.pop(state)[1])
            self._kept[state] = path, tensors, metadata
            self._tensors += len(tensors)
            while self._tensors > _MOST_TENSORS and len(self._kept) > 1:
                _, (_, oldest, _) = self._kept.popitem(last=False)
                self._tensors -= len(oldest)
