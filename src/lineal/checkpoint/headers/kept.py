"""Headers that were read, kept as long as their files stay the same: a command opens its models again and again."""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, Generic, Protocol, Self, TypeAlias, TypeVar, final

M = TypeVar("M")

_MOST_BYTES: Final = 1 << 26
"""Of all headers together that are kept, as they stand in their files: parsed they take about three times that."""
RACY_NS: Final = 50_000_000
"""A file changed this recently could change again within one tick of the file system's clock: not kept."""

_State: TypeAlias = tuple[int, ...]


class Located(Protocol):
    """What lies in a file."""

    def at(self, path: Path) -> Self:
        """The thing, where the file is called so."""
        ...


T = TypeVar("T", bound=Located)


@final
class KeptHeaders(Generic[T, M]):
    """The tensors and metadata of files by their state: inode, size, times of the last change. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_State, tuple[Path, int, tuple[Mapping[str, T], M]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, path: Path, parse: Callable[[BinaryIO], tuple[Mapping[str, T], M]]) -> tuple[Mapping[str, T], M]:
        """What `parse` makes of the file, or made of it before."""
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            state = (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns)
            found, length = self._recall(state, path) or parse(file), file.tell()
        if time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > RACY_NS:
            self._keep(state, path, length, found)
        return found

    def _recall(self, state: _State, path: Path) -> tuple[Mapping[str, T], M] | None:
        with self._lock:
            if state not in self._kept:
                return None
            known_as, _, (tensors, metadata) = self._kept[state]
        if known_as != path:  # a folder around it got another name, as a child does when it is published
            tensors = {name: tensor.at(path) for name, tensor in tensors.items()}
        return tensors, metadata

    def _keep(self, state: _State, path: Path, length: int, found: tuple[Mapping[str, T], M]) -> None:
        with self._lock:
            _, known, _ = self._kept.pop(state, (path, 0, found))
            length = length or known  # nothing was read of one that was known
            self._kept[state] = path, length, found
            self._bytes += length - known
            while self._bytes > _MOST_BYTES and len(self._kept) > 1:
                _, (_, oldest, _) = self._kept.popitem(last=False)
                self._bytes -= oldest
