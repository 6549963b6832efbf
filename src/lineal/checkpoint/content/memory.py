"""Hashes of unchanged files, remembered by (path, size, mtime, inode) like git's index."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from lineal.checkpoint.headers.kept import RACY_NS
from lineal.checkpoint.inside import resolved
from lineal.derivation.hashes import HASH_LENGTH

_NAMES, _HASHES = "names", "hashes"
_TABLE = """
CREATE TABLE IF NOT EXISTS remembered (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, hashes TEXT NOT NULL
) STRICT
"""


@final
class HashMemory:
    """A file of remembered hashes. Losing it costs time, never truth: verification does not ask it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def recall(self, file: Path) -> dict[str, bytes] | None:
        """What was remembered of a file, if it has not changed since."""
        query = "SELECT size, mtime_ns, inode, hashes FROM remembered WHERE path = ?"
        try:
            with self._opened() as database:
                row = database.execute(query, (str(resolved(file)),)).fetchone()
        except sqlite3.DatabaseError:  # damaged: it has forgotten
            return None
        if not row or row[:3] != _signature(os.stat(file)):
            return None
        try:
            return _read(json.loads(row[3]))
        except (ValueError, TypeError, AttributeError, KeyError):  # edited by somebody: it has forgotten
            return None

    def places(self, hashes: Mapping[str, bytes]) -> list[Path]:
        """Where files with just these hashes lay when they were hashed; whether they still do is not asked."""
        try:
            with self._opened() as database:
                query = "SELECT path FROM remembered WHERE hashes = ? ORDER BY path"
                return [Path(row[0]) for row in database.execute(query, (_written(hashes),))]
        except sqlite3.DatabaseError:  # damaged: it has forgotten
            return []

    def remember(self, file: Path, before: os.stat_result, hashes: Mapping[str, bytes]) -> None:
        """Keep the hashes of a file, unless it changed since `before`, its state when hashing began."""
        signature = _signature(before)
        if signature != _signature(os.stat(file)) or time.time_ns() - before.st_mtime_ns < RACY_NS:
            return
        row = (str(resolved(file)), *signature, _written(hashes))
        try:
            with self._opened() as database, database:
                database.execute("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?, ?, ?)", row)
        except sqlite3.OperationalError:  # locked for a minute, or no room: it is not remembered
            return
        except sqlite3.DatabaseError:  # damaged: the next run begins a new one
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        """One connection for all questions; after an error the next has another."""
        with self._lock:
            database = self._database = self._database or self._connect()
            try:
                yield database
            except sqlite3.Error:
                self._database = None
                database.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=60, check_same_thread=False)
        database.execute("PRAGMA synchronous = OFF")
        database.execute(_TABLE)
        return database


def _written(hashes: Mapping[str, bytes]) -> str:
    """All names in one text, and all hashes: of many tensors that takes the least room. Line breaks make it unread."""
    return json.dumps({_NAMES: "\n".join(hashes), _HASHES: b"".join(hashes.values()).hex()})


def _read(found: dict[str, Any]) -> dict[str, bytes]:
    """What was written here, or name by name by an earlier lineal."""
    if found.keys() != {_NAMES, _HASHES}:
        return {str(name): bytes.fromhex(digest) for name, digest in found.items()}
    names, hashes = found[_NAMES].split("\n"), bytes.fromhex(found[_HASHES])
    if len(hashes) != HASH_LENGTH * len(names):
        raise ValueError("a hash for each name is needed")
    return {name: hashes[HASH_LENGTH * n : HASH_LENGTH * (n + 1)] for n, name in enumerate(names)}


def _signature(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
