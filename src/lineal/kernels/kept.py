"""Machine code kept between processes: read only where nobody else can have written it.

A file is a BLAKE3 hash of its name and of what follows, which shows whether it is whole, and the object code. It is
read, and the folder written to, if both belong to the effective user, are what they are called (no links), and nobody
else may write to them. Everything else is as if nothing were kept. The folder may be removed at any time.
"""

import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from blake3 import blake3

_HASH = 32
_MOST = 16 << 20
"""Bytes; object code is some thousand."""


@cache
def folder() -> Path:
    """In XDG_CACHE_HOME where that is an absolute path, or ~/.cache; FileNotFoundError for a user without a home."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (named if named.is_absolute() else Path.home() / ".cache") / "lineal" / "kernels"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from None


def read(name: str) -> bytes | None:
    """The object code that is kept under a name; None if there is none that can be trusted and is whole."""
    try:
        within = _opened_folder()
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=within)
        finally:
            os.close(within)
        with os.fdopen(file, "rb") as kept:
            status = os.fstat(file)
            if not (stat.S_ISREG(status.st_mode) and _is_ours(status) and status.st_size <= _MOST):
                return None
            content = kept.read(_MOST)
    except OSError:
        return None
    code = content[_HASH:]
    return code if content[:_HASH] == _hash(name, code) else None


def keep(name: str, code: bytes) -> None:
    """Write object code under a name, whole or not at all; where it cannot be kept, nothing happens."""
    unfinished = f".{name}.{os.getpid()}"
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        within = _opened_folder()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(unfinished, flags, 0o600, dir_fd=within), "wb") as file:
                file.write(_hash(name, code) + code)
            os.replace(unfinished, name, src_dir_fd=within, dst_dir_fd=within)
        except OSError:
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=within)
        finally:
            os.close(within)
    except OSError:
        return


def _hash(name: str, code: bytes) -> bytes:
    return blake3(name.encode() + b"\0" + code).digest()


def _opened_folder() -> int:
    found = os.open(folder(), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not _is_ours(os.fstat(found)):
        os.close(found)
        raise PermissionError(f"{folder()} belongs to somebody else, or others may write to it")
    return found


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
