"""What the system refuses, in words that say where and what to do: `[Errno 30]` helps nobody."""

import errno
from collections.abc import Mapping
from types import MappingProxyType

from lineal.shown import LONGEST_LINE, shortened

_TOLD: Mapping[int, str] = MappingProxyType({
    errno.ENOENT: "no such file or folder",
    errno.EACCES: "may not be read or written; its permissions, or those of a folder around it, forbid it",
    errno.EPERM: "may not be changed; its owner or its attributes forbid it",
    errno.EROFS: "lies on a file system that only reads; choose another place",
    errno.ENOSPC: "no room left on its disk; make room, the same command then continues",
    errno.EDQUOT: "your quota of its disk is used up; make room, the same command then continues",
    errno.EFBIG: "its file system, or a limit of yours, allows no file as large",
    errno.EISDIR: "a folder, where a file is needed",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "exists already",
    errno.ENOTEMPTY: "a folder that is not empty",
    errno.ENAMETOOLONG: "the name is too long for its file system",
    errno.ELOOP: "its links lead in a circle",
    errno.EMFILE: "this program has too many files open; `ulimit -n` raises the limit",
    errno.ENFILE: "the machine has too many files open",
    errno.ENOMEM: "the machine has no memory left for it",
    errno.EIO: "its disk fails to read or write; check it",
    errno.ETXTBSY: "is in use by another program",
    errno.EXDEV: "the two places lie on different file systems",
    errno.ESTALE: "was replaced on its server meanwhile; repeat the command",
})  # fmt: skip


def told(error: OSError) -> str:
    """One line: the file, where the error names one, and why the system would not."""
    places = [
        shortened(str(place), LONGEST_LINE // 2) for place in (error.filename, error.filename2) if place is not None
    ]
    return f"{' -> '.join(places)}: {reason(error)}" if places else reason(error)


def reason(error: OSError) -> str:
    """Why the system would not; of what is not known here, its own words."""
    return _TOLD.get(error.errno or 0) or (error.strerror or str(error) or type(error).__name__).lower()
