"""The database of a registry, of either kind: begun where none is, migrated, and refused where it is newer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.errors import RegistryError
from lineal.lineage.database.schema import MIGRATIONS, MIGRATIONS_TABLE
from lineal.lineage.database.store import Store, begin_store, dialect_at
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.registry import Registry
from tests.databases import BEFORE_LAYOUTS, Database
from tests.lineage.families import ROOT, add_family, model

OPEN = "import sys; from lineal.lineage.registry import Registry; Registry.open(sys.argv[1]).close()"


@pytest.fixture
def store(location: str) -> Iterator[Store]:
    """Of an empty registry."""
    store = begin_store(dialect_at(location))
    yield store
    store.close()


def contents(database: Database, place: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, read without lineal."""
    return {
        table: sorted(database.run(place, f"SELECT * FROM {table}"), key=repr)
        for table in sorted(database.tables(place))
    }


def test_a_registry_begins_empty_and_says_where_it_is(location: str):
    with Registry.open(location) as registry:
        assert registry.names() == ()
        assert registry.place == location


def test_an_older_schema_migrates_and_keeps_its_contents(location: str, store: Store):
    newer = (*MIGRATIONS, ("ALTER TABLE model ADD COLUMN note {text}", "UPDATE model SET note = 'old'"))
    with Registry.open(location) as registry:
        hashes = add_family(registry)
        store.migrate(newer)
        with store.reading() as connection:
            assert connection.execute("SELECT DISTINCT note FROM model").scalar_one() == "old"
        assert store.version() == len(newer)
        store.migrate(newer)
        assert store.version() == len(newer)
        assert registry.resolve("both") == hashes["both"]


def test_a_registry_from_before_there_were_versions_is_migrated_with_all_it_holds(
    database: Database, location: str, tmp_path: Path
):
    with Registry.open(location) as before:
        hashes = add_family(before, folder=tmp_path)
    later = ("version_tag", "version_metric", "version", "journal", "taint", "signature", "inference")
    judged = ("model_licence", "data_licence", "policy", "data_taint", "recipe_file", "seal")
    forgotten = f"DELETE FROM {MIGRATIONS_TABLE} WHERE version > 1"
    dropped = (f"DROP TABLE {table}" for table in (*later, *judged))
    _ = database.run(location, *dropped, "ALTER TABLE step DROP COLUMN rules", *BEFORE_LAYOUTS, forgotten)
    old = contents(database, location)
    assert "version" not in old
    added = {"step": 1, "model": None}  # all steps were made under the first rules; no layout hash was known
    kept = {**old, **{table: [(*row, value) for row in old[table]] for table, value in added.items()}}
    with Registry.open_existing(location) as registry:
        assert registry.versions("both") == ()
        both = registry.add_version("both", SemanticVersion(1, 0, 0), tags=("kept",))
        assert registry.resolve("both@kept") == hashes["both"]
    new = contents(database, location)
    assert {table: new[table] for table in old if table != MIGRATIONS_TABLE} == {
        table: rows for table, rows in kept.items() if table != MIGRATIONS_TABLE
    }
    assert (old[MIGRATIONS_TABLE], len(new[MIGRATIONS_TABLE])) == ([(1,)], len(MIGRATIONS))
    with Registry.open_existing(location) as registry:
        assert registry.versions("both") == (both,)


def test_many_processes_migrate_one_old_registry(database: Database, location: str, tmp_path: Path):
    (tmp_path / "registry.db").touch()
    store = Store(dialect_at(location))
    store.migrate(MIGRATIONS[:1])
    store.close()
    running = [subprocess.Popen([sys.executable, "-c", OPEN, location], cwd=ROOT) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    applied = sorted(database.run(location, f"SELECT version FROM {MIGRATIONS_TABLE}"))
    assert applied == [(number + 1,) for number in range(len(MIGRATIONS))]


def test_many_processes_make_one_registry(location: str):
    running = [subprocess.Popen([sys.executable, "-c", OPEN, location], cwd=ROOT) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    Registry.open_existing(location).close()


def test_a_migration_that_fails_changes_nothing(database: Database, location: str, store: Store):
    with pytest.raises(RegistryError, match="syntax error"):
        store.migrate((*MIGRATIONS, ("CREATE TABLE note (id {key}) {rows}", "CREATE NONSENSE")))
    assert "note" not in database.tables(location)
    assert store.version() == len(MIGRATIONS)


def test_a_newer_schema_is_refused_naming_both_versions(location: str, store: Store):
    store.migrate((*MIGRATIONS, ("CREATE TABLE note (id {key}) {rows}",)))
    known = len(MIGRATIONS)
    with pytest.raises(RegistryError, match=f"has schema {known + 1}, this lineal knows schemas up to {known}"):
        _ = Registry.open(location)


def test_a_broken_constraint_is_an_error_of_the_registry_and_changes_nothing(registry: Registry):
    broken = model("broken")
    broken.manifest.package["config.json"] = b"short"  # pyright: ignore[reportIndexIssue]
    with pytest.raises(RegistryError, match=r"^the registry (?=.*nothing was changed).*(?i:check constraint)"):
        registry.add_models([model("whole"), broken])
    assert not registry.knows(model("whole").manifest.model_hash)


def test_a_question_sees_one_moment_of_the_registry(location: str):
    with Registry.open(location) as reader, Registry.open(location) as writer:
        writer.add_model(model("before"))
        with reader.reading() as connection:
            query = "SELECT count(*) FROM model"
            assert connection.execute(query).scalar_one() == 1
            writer.add_model(model("after"))
            assert connection.execute(query).scalar_one() == 1
        assert reader.knows(model("after").manifest.model_hash)
