"""Databases for tests: SQLite files, and a PostgreSQL server of the tests' own, on a socket in a temporary folder."""

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from lineal.lineage.database.schema import MIGRATIONS_TABLE, SEALED
from lineal.lineage.registry import Registry

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_connections": "60",
}
USER, GUARDED, PASSWORD = "lineal", "guarded", "correct horse"
ACCESS = f"local all {GUARDED} scram-sha-256\nlocal all all trust\n"
_SHARED = "shared"

BEFORE_LAYOUTS = (
    "DROP TABLE quantization_report",
    "DROP TABLE model_published_tensor",
    "DROP INDEX model_by_layout",
    "ALTER TABLE model DROP COLUMN layout_hash",
)
BEFORE_SEALS = (*BEFORE_LAYOUTS, "DROP TABLE seal", f"DELETE FROM {MIGRATIONS_TABLE} WHERE version >= {SEALED}")
"""What makes a registry as old as that."""


class Database(Protocol):
    """What the tests of a registry need of the database that keeps it."""

    unchecked: str
    """A statement after which references may be broken."""

    def empty(self, folder: Path) -> AbstractContextManager[str]:
        """A place where no registry is yet: in the folder, if it is a file."""
        ...

    def migrated(self, folder: Path) -> AbstractContextManager[str]:
        """A place where a registry opens quickly."""
        ...

    def run(self, place: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as another program would; the rows of the last one."""
        ...

    def tables(self, place: str) -> list[str]: ...


@dataclass
class Sqlite:
    unchecked: str = "PRAGMA foreign_keys = OFF"

    @contextmanager
    def empty(self, folder: Path) -> Generator[str]:
        yield str(folder / "registry.db")

    migrated = empty

    def run(self, place: str, *statements: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(place)) as connection, connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    def tables(self, place: str) -> list[str]:
        return [name for (name,) in self.run(place, "SELECT name FROM sqlite_master WHERE type = 'table'")]


@dataclass
class Postgres:
    """folder: of the server's socket."""

    folder: Path
    unchecked: str = "SET session_replication_role = replica"
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _emptying: list[str] = field(default_factory=list)

    def url(self, database: str, user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    @contextmanager
    def empty(self, folder: Path) -> Generator[str]:
        name = f"test{next(self._numbers)}"
        _ = self.run(self.url("postgres"), f"CREATE DATABASE {name} TEMPLATE template0")
        yield self.url(name)
        _ = self.run(self.url("postgres"), f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def migrated(self, folder: Path) -> Generator[str]:
        """One registry for all, emptied: a database for each takes ten times as long."""
        place = self.url(_SHARED)
        if not self._emptying:
            _ = self.run(self.url("postgres"), f"CREATE DATABASE {_SHARED} TEMPLATE template0")
            Registry.open(place).close()
            tables = [table for table in self.tables(place) if table != MIGRATIONS_TABLE]
            sequences = self.run(place, "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")
            self._emptying += [f"DELETE FROM {table}" for table in tables]
            self._emptying += [f"ALTER SEQUENCE {name} RESTART" for (name,) in sequences]
        _ = self.run(place, ";".join([self.unchecked, *self._emptying]))
        yield place

    def run(self, place: str, *statements: str) -> list[tuple[Any, ...]]:
        import psycopg

        with closing(psycopg.connect(place, autocommit=True)) as connection:
            ran = [connection.execute(statement.encode()) for statement in statements][-1]
            return ran.fetchall() if ran.description else []

    def tables(self, place: str) -> list[str]:
        return [name for (name,) in self.run(place, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


@contextmanager
def postgres_server() -> Generator[Postgres]:
    """A server that is there as long as the block; skips the test where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="no psycopg here: pip install 'lineal[postgres]'", exc_type=ImportError)
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="lineal-postgres-"))
    as_user = _unprivileged(folder)
    data = folder / "data"
    initdb = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        USER,
        "-E",
        "UTF8",
        "-A",
        "trust",
        "--no-locale",
        "--no-sync",
        *_icu(programs),
    ]
    try:
        _ = subprocess.run([*as_user, *initdb], check=True, stdout=subprocess.DEVNULL)
        _ = (data / "pg_hba.conf").write_text(ACCESS)
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        server = [programs / "postgres", "-D", data, "-k", folder, *settings]
        with (folder / "log").open("wb") as log, subprocess.Popen([*as_user, *server], stderr=log) as running:
            try:
                _wait(programs, folder, running)
                yield Postgres(folder)
            finally:
                running.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = shutil.which("postgres")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not (versions or found):
        pytest.skip("PostgreSQL is not installed here: make postgres does it")
    return (versions[-1] if versions else Path(str(found))).parent


def _unprivileged(folder: Path) -> Sequence[str]:
    """PostgreSQL refuses to run as root: what makes a command run as somebody else, who is given the folder."""
    if os.getuid() != 0:
        return ()
    try:
        shutil.chown(folder, "postgres", "postgres")
    except LookupError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres here")
    if not shutil.which("setpriv"):
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv here")
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT", "--")


def _icu(programs: Path) -> Sequence[str]:
    """A database that sorts as English does, where it can: the registry must not."""
    help_text = subprocess.run([programs / "initdb", "--help"], capture_output=True, text=True, check=True).stdout
    return ("--locale-provider=icu", "--icu-locale=en") if "--icu-locale" in help_text else ()


def _wait(programs: Path, folder: Path, running: "subprocess.Popen[bytes]") -> None:
    ready = [programs / "pg_isready", "-q", "-h", folder, "-t", "1"]
    while subprocess.run(ready, check=False).returncode != 0:
        if running.poll() is not None:
            pytest.fail((folder / "log").read_text())
