"""A file that a command writes where its user says: over nothing of another kind, and whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from lineal.errors import StorageError, UsageError
from lineal.system_words import reason

_LOOKED_AT = 4096


def write_output(path: Path, content: str, kind: str, is_own: Callable[[str], bool], *, force: bool = False) -> None:
    """Write a text; kind: what it is, `a picture`; is_own: whether a text begins as one of that kind does.

    What stands there already is replaced with `force` alone, and only by another of its kind; a link never.
    """
    if path.is_symlink():
        raise UsageError(f"{path} is a link; name the file itself")
    if path.exists():
        if not path.is_file() or not is_own(_beginning(path)):
            raise UsageError(f"{path} exists and is not {kind} of lineal's; choose another name")
        if not force:
            raise UsageError(f"{path} exists; --force replaces it")
    _write_whole(path, content)


def write_new(path: Path, content: str) -> None:
    """Write a text where nothing stands; people edit what is written there, so nothing replaces it."""
    refuse_existing(path)
    _write_whole(path, content)


def refuse_existing(path: Path) -> None:
    if path.is_symlink() or path.exists():
        raise UsageError(f"{path} exists; --out names another file")


def _write_whole(path: Path, content: str) -> None:
    unfinished = path.with_name(f".{path.name}.new")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            _ = file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _ = unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise StorageError(f"{path}: {reason(error)}") from None


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LOOKED_AT).decode(errors="replace")
