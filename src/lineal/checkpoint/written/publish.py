"""A finished model appears at once or not at all: fsync, then rename; what it replaces is kept aside."""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from lineal.errors import StorageError
from lineal.system_words import reason

REPLACED = ".replaced"
LOCKS = ".locks"
"""Lock files stay: removing one while another process waits for it would give two processes the lock."""


@contextmanager
def output_lock(target: Path, waiting: Callable[[], None]) -> Generator[None]:
    """Hold the one lock of an output; `waiting` is called once if another run has it."""
    try:
        (target.parent / LOCKS).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target.parent / LOCKS / target.name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:  # the user knows the output's folder, not that of locks
        raise StorageError(f"{target.parent}: {reason(error)}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def partial_folder(target: Path, key: bytes) -> Path:
    """Where a child is built before it is published: beside its target, named for what it will be."""
    return target.parent / f".{target.name}.{key.hex()[:12]}.partial"


def partial_folders(target: Path) -> list[Path]:
    """What runs that were killed left behind, whatever they were making there."""
    named = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{12}}\.partial")  # another output may be NAME.something
    return [path for path in target.parent.iterdir() if named.fullmatch(path.name)]


def publish(partial: Path, target: Path, replaced_as: str | None = None) -> Path | None:
    """Make `partial` the target; returns where a folder that stood there was moved to, `.replaced/{replaced_as}`."""
    _fsync_tree(partial)
    moved = None
    if target.exists():
        moved = _free_name(target.parent / REPLACED / (replaced_as or target.name))
        moved.parent.mkdir(exist_ok=True)
        target.rename(moved)
        _fsync(moved.parent)
    partial.rename(target)
    _fsync(target.parent)
    return moved


def publish_file(file: Path, record: Path, target: Path, replaced_as: str | None = None) -> Path | None:
    """Make `file` the target and put its record beside it, the record first: no target is ever without one.

    Returns where a file that stood there was moved to, a folder of its own with a copy of its record.
    """
    _fsync_tree(file.parent)
    beside = target.with_name(record.name)
    moved = None
    if target.exists():
        aside = _free_name(target.parent / REPLACED / (replaced_as or target.name))
        aside.mkdir(parents=True)
        shutil.copyfile(beside, aside / beside.name)
        _fsync_tree(aside)
        _fsync(aside.parent)
        moved = target.rename(aside / target.name)
        _fsync(aside)
    record.rename(beside)
    file.rename(target)
    _fsync(target.parent)
    return moved


def _free_name(path: Path) -> Path:
    count, free = 1, path
    while free.exists():
        count, free = count + 1, path.with_name(f"{path.name}-{count + 1}")
    return free


def _fsync_tree(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for file in files:
            _fsync(Path(root) / file)
        _fsync(Path(root))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
