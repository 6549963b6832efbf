"""A registry on PostgreSQL when its server, its rights or its neighbours turn against it: a line, and nothing lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineal.cli.entry import main
from lineal.errors import RegistryError
from lineal.lineage.database.schema import MIGRATIONS, MIGRATIONS_TABLE
from lineal.lineage.records.records import Name
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.databases import GUARDED, PASSWORD, Database, Postgres
from tests.lineage.families import ROOT, add_family, model

READER, CAREFUL = "reader", "careful"
ASKING = (["log"], ["show", "both"], ["check"], ["journal"], ["tainted"])
WRITER = """
import sys
from lineal.lineage.records.records import Name
from lineal.lineage.registry import Registry
from tests.lineage.families import model
with Registry.open(sys.argv[1]) as registry:
    for number in range(10):
        made = registry.add_model(model(f"{sys.argv[2]}-{number}", licence="text"))
        registry.set_name(Name("crowd", f"w{sys.argv[2]}-{number}", made))
        registry.taint(made, "one of many", sys.argv[2])
"""

TRIGGER = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER quiet BEFORE INSERT ON taint FOR EACH ROW EXECUTE FUNCTION f()
"""


@pytest.fixture
def database(postgres: Postgres) -> Database:
    return postgres


@pytest.fixture
def roles(postgres: Postgres) -> None:
    known = {name for (name,) in postgres.run(postgres.url("postgres"), "SELECT rolname FROM pg_roles")}
    for role, rights in ((READER, "LOGIN"), (CAREFUL, "LOGIN"), (GUARDED, f"LOGIN PASSWORD '{PASSWORD}'")):
        if role not in known:
            postgres.run(postgres.url("postgres"), f"CREATE ROLE {role} {rights}")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """A command's exit code and its one line of errors."""
    capsys.readouterr()
    code = main(words)
    told = capsys.readouterr()
    assert "Traceback" not in told.err + told.out
    assert told.err.count("\n") <= 1, told.err
    return code, told.err


def as_user(location: str, role: str) -> str:
    return location.replace("lineal@", f"{role}@")


def test_a_password_stands_in_no_error(
    location: str, roles: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    Registry.open(location).close()
    monkeypatch.delenv("PGPASSWORD", raising=False)
    for place in (
        as_user(location, f"{GUARDED}:hunter2"),
        f"{as_user(location, GUARDED)}&password=hunter2",
        "postgresql://me:hunter2@127.0.0.1:1/x",
        "postgresql://me:hunter2@nowhere.invalid/x",
        "postgresql://me:hunter2@host:port/x",
        "postgresql://me:hunter2@/x?colour=red",
        "postgresql://me:hunter2@/x?connect_timeout=soon",
    ):
        for words in (["log"], ["log", "--debug"]):
            capsys.readouterr()
            assert main([*words, "--registry", place]) == 3
            assert "hunter2" not in "".join(capsys.readouterr())


def test_a_user_who_may_only_read_reads(
    postgres: Postgres, location: str, roles: None, capsys: pytest.CaptureFixture[str]
):
    with Registry.open(location) as registry:
        add_family(registry)
    postgres.run(location, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
    place = as_user(location, READER)
    for words in ASKING:
        assert said(capsys, *words, "--registry", place) == (0, "")
    code, told = said(capsys, "taint", "both", "--reason", "x", "--registry", place)
    assert (code, "permission denied for table" in told, "or be granted them" in told) == (3, True, True)


def test_a_user_whose_transactions_only_read_reads(
    postgres: Postgres, location: str, roles: None, capsys: pytest.CaptureFixture[str]
):
    with Registry.open(location) as registry:
        add_family(registry)
    postgres.run(location, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {CAREFUL}")
    postgres.run(location, f"ALTER ROLE {CAREFUL} SET default_transaction_read_only = on")
    place = as_user(location, CAREFUL)
    for words in ASKING:
        assert said(capsys, *words, "--registry", place) == (0, "")
    code, told = said(capsys, "taint", "both", "--reason", "x", "--registry", place)
    assert (code, "read-only transaction; nothing was changed" in told) == (3, True)
    assert "default_transaction_read_only" in told


def test_a_statement_that_may_not_take_long_changes_nothing_and_says_so(
    postgres: Postgres, location: str, capsys: pytest.CaptureFixture[str]
):
    with Registry.open(location) as registry:
        add_family(registry)
        (name,) = postgres.run(location, "SELECT current_database()")[0]
        postgres.run(location, f"ALTER DATABASE {name} SET statement_timeout = '300ms'")
        postgres.run(location, f"ALTER DATABASE {name} SET lock_timeout = '10ms'")
        words = ("taint", "both", "--reason", "x", "--registry", location)
        with registry.writing():  # so that the other waits
            code, told = said(capsys, *words)
        assert (code, "statement timeout; nothing was changed" in told) == (3, True), told
        assert said(capsys, *words)[0] == 0
        assert (len(registry.taints()), check(registry).faults) == (1, ())


@pytest.mark.parametrize("how", ["SIGKILL", "pg_terminate_backend"])
def test_what_is_cut_in_a_transaction_is_gone_whole_and_repeated(
    postgres: Postgres, location: str, how: str, capsys: pytest.CaptureFixture[str]
):
    """SIGKILL: of the server's own process, after which it throws everybody out and recovers."""
    with Registry.open(location) as registry:
        add_family(registry)

        def cut() -> None:
            with registry.writing() as connection:
                backend: int = connection.execute_raw("SELECT pg_backend_pid()").scalar_one()
                connection.execute_raw("DELETE FROM location")
                connection.execute_raw("DELETE FROM name")
                if how == "SIGKILL":
                    os.kill(backend, signal.SIGKILL)
                else:
                    postgres.run(location, f"SELECT pg_terminate_backend({backend})")
                connection.execute_raw("DELETE FROM taint")

        with pytest.raises(RegistryError, match=r"not known; repeat the command") as error:
            cut()
        assert "\n" not in str(error.value)
    deadline = time.monotonic() + 30
    while True:
        code, told = said(capsys, "taint", "both", "--reason", "x", "--registry", location)
        if code == 0:
            break
        assert code == 3, told
        assert "the database system is" in told or "connection" in told, told
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with Registry.open(location) as registry:
        assert (len(registry.names()), len(registry.taints()), check(registry).faults) == (7, 1, ())


def test_eight_writers_at_once_lose_nothing(location: str):
    Registry.open(location).close()
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, location, str(number)], cwd=ROOT, stderr=subprocess.PIPE)
        for number in range(8)
    ]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 8
    with Registry.open(location) as registry:
        assert (len(registry.names()), len(registry.taints()), len(registry.journal())) == (80, 80, 160)
        assert check(registry).faults == ()


def test_a_newer_registry_is_refused_by_every_verb_and_left_as_it_is(
    postgres: Postgres, location: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    newer = f"INSERT INTO {MIGRATIONS_TABLE} VALUES ({len(MIGRATIONS) + 1})"
    with Registry.open(location) as registry:
        add_family(registry)
    postgres.run(location, newer)
    for words in (*ASKING, ["taint", "both", "--reason", "x"]):
        code, told = said(capsys, *words, "--registry", location)
        assert (code, f"has schema {len(MIGRATIONS) + 1}, this lineal knows" in told) == (3, True)
    assert postgres.run(location, "SELECT count(*) FROM taint") == [(0,)]


def test_a_database_of_others_is_no_registry(postgres: Postgres, location: str, capsys: pytest.CaptureFixture[str]):
    postgres.run(location, "CREATE TABLE model (id text)", "INSERT INTO model VALUES ('theirs')")
    assert "no registry at" in said(capsys, "log", "--registry", location)[1]
    with pytest.raises(RegistryError, match='relation "model" already exists; nothing was changed'):
        Registry.open(location)
    postgres.run(location, f"CREATE TABLE {MIGRATIONS_TABLE} (version text)")
    assert "no registry at" in said(capsys, "log", "--registry", location)[1]
    postgres.run(location, f"INSERT INTO {MIGRATIONS_TABLE} VALUES ('first')")
    code, told = said(capsys, "log", "--registry", location)
    assert (code, "where a schema's number is needed" in told) == (3, True), told
    assert postgres.run(location, "SELECT * FROM model") == [("theirs",)]


def test_what_is_missing_of_the_tables_is_named(postgres: Postgres, location: str):
    for statement, said_ in (
        ("DROP TABLE policy", "the column policy.rules is missing"),
        ("ALTER TABLE version DROP COLUMN quality_score", "the column version.quality_score is missing"),
        ("ALTER TABLE taint ALTER COLUMN reason DROP NOT NULL", "the column taint.reason is not as lineal makes it"),
        ("DROP INDEX edge_up", "the index edge_up is missing"),
        (TRIGGER, "the trigger quiet is none of lineal's"),
    ):
        with Registry.open(location) as registry:
            registry.set_name(Name("demo", "a", registry.add_model(model("a"))))
            postgres.run(location, statement)
            assert f"database: {said_}" in check(registry).faults
