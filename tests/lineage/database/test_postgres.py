"""A registry on PostgreSQL: named by a URL that gives no password away, beside others' tables, one writer at a time."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import lineal.lineage.database.postgres as dialect
from lineal.errors import MissingExtra, RegistryError
from lineal.lineage.database import store
from lineal.lineage.database.store import dialect_at
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.databases import GUARDED, PASSWORD, Database, Postgres
from tests.lineage.families import ROOT, model


@pytest.fixture
def database(postgres: Postgres) -> Database:
    return postgres


def refused(url: str) -> str:
    """What is said where no registry can be opened."""
    with pytest.raises(RegistryError) as told:
        _ = Registry.open(url)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:secret@host:5433/lineal", "postgresql://me@host:5433/lineal"),
        ("postgres://me:a%40b@host/lineal?sslmode=require", "postgresql://me@host/lineal"),
        ("postgresql://me@/lineal?host=/run/pg&password=secret", "postgresql://me@/lineal?host=/run/pg"),
        ("postgresql:///lineal", "postgresql:///lineal"),
    ],
)
def test_a_place_is_told_without_its_password(url: str, place: str):
    known = dialect_at(url)
    assert known.place == place
    assert "secret" not in repr(known)


@pytest.mark.parametrize("url", ["postgresql://me:p@ss@host/x", "postgresql://me:secret@host:port/x"])
def test_a_url_that_cannot_be_meant_is_refused_without_being_repeated(url: str):
    with pytest.raises(
        RegistryError, match="the registry's URL cannot be read: postgresql://USER@HOST/DATABASE"
    ) as told:
        _ = dialect_at(url)
    assert "ss@" not in str(told.value)
    assert "secret" not in str(told.value)


def test_what_goes_with_the_registry_lies_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert dialect_at("postgresql://me@host/lineal").folder == tmp_path / ".lineal"


def test_without_the_extra_the_line_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'lineal\[postgres\]'"):
        _ = dialect_at("postgresql://me@host/lineal")


def test_reading_verbs_begin_no_registry(database: Database, location: str):
    with pytest.raises(RegistryError, match=r"^no registry at postgresql://.*: lineal run or lineal add begins one"):
        _ = Registry.open_existing(location)
    assert database.tables(location) == []


def test_tables_of_others_are_left_alone(database: Database, location: str):
    _ = database.run(location, "CREATE TABLE runs (id integer)", "INSERT INTO runs VALUES (7)")
    with Registry.open(location) as registry:
        registry.add_model(model("a"))
        assert check(registry).faults == ()
    assert database.run(location, "SELECT * FROM runs") == [(7,)]


def test_a_schema_of_its_own_is_a_registry_of_its_own(database: Database, location: str):
    _ = database.run(
        location, "CREATE SCHEMA team", "CREATE ROLE team_member LOGIN", "GRANT ALL ON SCHEMA team TO team_member"
    )
    with Registry.open(location) as one, Registry.open(f"{location}&options=-csearch_path%3Dteam") as other:
        one.add_model(model("a"))
        assert not other.knows(model("a").manifest.model_hash)
        other.add_model(model("a"))
        assert check(other).faults == ()
    _ = database.run(location, "DROP OWNED BY team_member", "DROP ROLE team_member")


def test_what_is_wrong_with_a_connection_is_said_with_what_to_do(postgres: Postgres, monkeypatch: pytest.MonkeyPatch):
    known = postgres.run(postgres.url("postgres"), f"SELECT 1 FROM pg_roles WHERE rolname = '{GUARDED}'")
    if not known:
        _ = postgres.run(postgres.url("postgres"), f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    guarded = postgres.url("postgres", GUARDED)
    assert refused(guarded).endswith("no password supplied; give one in PGPASSWORD or ~/.pgpass")
    wrong = refused(guarded.replace("@", ":hunter2@"))
    assert wrong.endswith('for user "guarded"; the user or the password is wrong (PGPASSWORD, ~/.pgpass or the URL)')
    assert "hunter2" not in wrong
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert "permission denied for schema public; its user must own the tables" in refused(guarded)
    assert refused(postgres.url("nowhere")).endswith(
        'database "nowhere" does not exist; createdb makes one, and lineal an empty registry in it'
    )
    assert 'role "nobody" does not exist; createuser makes a user' in refused(postgres.url("postgres", "nobody"))
    assert refused("postgresql://me@127.0.0.1:1/x").endswith("; is the server running, and does it listen there?")
    assert refused("postgresql://me@/x?host=/nowhere").endswith("; is the server running, and does it listen there?")
    assert refused("postgresql://me@nowhere.invalid/x").endswith("; no such host is known: check the URL")
    assert "invalid connection option" in refused("postgresql://me@/x?colour=red")


def test_a_writer_that_waits_too_long_is_told_so(place: str, monkeypatch: pytest.MonkeyPatch):
    with Registry.open(place) as one, one._store.writing():
        monkeypatch.setattr(dialect, "_BEGIN_WRITING", dialect._BEGIN_WRITING.replace("120s", "50ms"))
        with Registry.open_existing(place) as other, pytest.raises(RegistryError, match="writing for over 120 s: wait"):
            other.add_model(model("late"))


def test_questions_cannot_write(registry: Registry):
    with (
        pytest.raises(RegistryError, match="read-only transaction; nothing was changed"),
        registry.reading() as connection,
    ):
        _ = connection.execute_raw("DELETE FROM model")


def test_a_lost_connection_is_told_and_the_next_question_makes_a_new_one(
    database: Database, place: str, registry: Registry
):
    stop = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
    with (
        pytest.raises(RegistryError, match="the connection was lost: whether the last change was kept is not known"),
        registry._store.writing() as connection,
    ):
        _ = database.run(place, stop)
        _ = connection.execute_raw("DELETE FROM model")
    registry.add_model(model("a"))
    _ = database.run(place, stop)  # while nothing is asked: nobody notices
    assert registry.knows(model("a").manifest.model_hash)


def test_changes_are_durable_when_a_call_returns_whatever_the_database_says(database: Database, location: str):
    (name,) = database.run(location, "SELECT current_database()")[0]
    _ = database.run(location, f"ALTER DATABASE {name} SET synchronous_commit = off")
    with Registry.open(location) as registry, registry._store.writing() as connection:
        assert connection.execute_raw("SHOW synchronous_commit").scalar_one() == "on"
        assert connection.execute_raw("SHOW transaction_isolation").scalar_one() == "read committed"


def test_a_killed_writer_keeps_nobody_waiting(place: str, registry: Registry):
    program = """
import sys, time
from lineal.lineage.registry import Registry
from tests.lineage.families import model
def slowly():
    yield from (model(str(i)) for i in range(2000))
    print("writing", flush=True)
    time.sleep(60)
Registry.open(sys.argv[1]).add_models(slowly())
"""
    writer = subprocess.Popen([sys.executable, "-c", program, place], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    os.kill(writer.pid, signal.SIGKILL)
    began = time.monotonic()
    registry.add_model(model("second"))
    assert time.monotonic() - began < 10
    assert not registry.knows(model("0").manifest.model_hash)
    _ = writer.communicate()


def test_threads_share_a_registry(registry: Registry):
    made = [f"thread {i}" for i in range(8)]
    running = [threading.Thread(target=registry.add_model, args=(model(name),)) for name in made]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert all(registry.knows(model(name).manifest.model_hash) for name in made)


def test_damage_to_indexes_is_named(database: Database, location: str):
    with Registry.open(location) as registry:
        _ = database.run(location, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'edge_up'::regclass")
        assert check(registry).faults == ("database: the index edge_up is not valid",)
