"""The database file: made whole, recognised, migrated, and never another program's."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from lineal.errors import RegistryError
from lineal.lineage.registry import Registry
from lineal.lineage.schema import MIGRATIONS, MIGRATIONS_TABLE
from lineal.lineage.semantic_version import SemanticVersion
from lineal.lineage.store import Store, create_store
from tests.lineage.families import ROOT, add_family, model


def test_a_registry_is_made_where_none_is_with_its_folders(tmp_path: Path):
    place = tmp_path / "a" / ".lineal" / "registry.db"
    with Registry.open(place) as registry:
        assert registry.names() == ()
        assert registry.path == place
    assert [file.name for file in place.parent.iterdir()] == ["registry.db"]


def test_reading_verbs_make_no_registry(tmp_path: Path):
    with pytest.raises(RegistryError, match=r"no registry at .*none\.db: lineal run or lineal add begins one"):
        _ = Registry.open_existing(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_half_made_registry_of_a_killed_process_is_cleared_away(tmp_path: Path):
    for leftover in (".registry.db.new", ".registry.db.new-wal"):
        _ = (tmp_path / leftover).write_bytes(b"torn")
    Registry.open(tmp_path / "registry.db").close()
    assert [file.name for file in tmp_path.iterdir()] == ["registry.db"]


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"SQLite format 3\0" + b"garbage" * 40])
def test_a_file_that_is_no_registry_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    file = tmp_path / "file.db"
    _ = file.write_bytes(content)
    with pytest.raises(RegistryError, match=r"file\.db"):
        _ = Registry.open(file)
    assert file.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path):
    file = tmp_path / "mlflow.db"
    other = sqlite3.connect(file)
    _ = other.execute("CREATE TABLE runs (id INTEGER)")
    other.commit()
    other.close()
    with pytest.raises(RegistryError, match=r"mlflow\.db is not a lineal registry \(another program's SQLite file\)"):
        _ = Registry.open(file)
    other = sqlite3.connect(file)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]
    other.close()


def test_a_folder_and_a_url_are_refused(tmp_path: Path):
    with pytest.raises(RegistryError, match="Is a directory"):
        _ = Registry.open(tmp_path)
    with pytest.raises(RegistryError, match="cannot be a postgresql:// URL"):
        _ = Registry.open("postgresql://host/lineal")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path):
    _ = (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError, match="no registry can be made at"):
        _ = Registry.open(tmp_path / "file" / "registry.db")


def test_a_registry_keeps_every_setting_it_relies_on(registry: Registry):
    with registry.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
        tables = connection.exec_driver_sql("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").all()
    assert settings == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 120_000}
    assert all(strict for name, strict in tables if not name.startswith("sqlite_"))


def test_an_older_schema_migrates_and_keeps_its_contents(registry: Registry):
    hashes = add_family(registry)
    store = Store(registry.path)
    newer = (*MIGRATIONS, ("ALTER TABLE model ADD COLUMN note {text}", "UPDATE model SET note = 'old'"))
    store.migrate(newer)
    with store.reading() as connection:
        assert connection.execute(text("SELECT DISTINCT note FROM model")).scalar_one() == "old"
    assert store.version() == len(newer)
    store.migrate(newer)
    assert store.version() == len(newer)
    store.close()
    assert registry.resolve("both") == hashes["both"]


def test_a_registry_from_before_there_were_versions_is_migrated_with_all_it_holds(tmp_path: Path):
    place = tmp_path / "registry.db"
    with Registry.open(place) as before:
        hashes = add_family(before, folder=tmp_path)
    later = ("version_tag", "version_metric", "version", "journal", "taint", "inference")
    with sqlite3.connect(place) as database:
        database.executescript(
            "".join(f"DROP TABLE {table};" for table in later) + f"DELETE FROM {MIGRATIONS_TABLE} WHERE version > 1;"
        )
    database.close()
    old = contents(place)
    assert "version" not in old
    with Registry.open_existing(place) as registry:
        assert registry.versions("both") == ()
        both = registry.add_version("both", SemanticVersion(1, 0, 0), tags=("kept",))
        assert registry.resolve("both@kept") == hashes["both"]
    new = contents(place)
    assert {table: new[table] for table in old if table != MIGRATIONS_TABLE} == {
        table: rows for table, rows in old.items() if table != MIGRATIONS_TABLE
    }
    assert (old[MIGRATIONS_TABLE], new[MIGRATIONS_TABLE][:2]) == ([(1,)], [(1,), (2,)])
    with Registry.open_existing(place) as registry:
        assert registry.versions("both") == (both,)


def test_many_processes_migrate_one_old_registry(tmp_path: Path):
    place = tmp_path / "registry.db"
    place.touch()
    store = Store(place)
    store.migrate(MIGRATIONS[:1])
    store.close()
    program = "import sys; from lineal.lineage.registry import Registry; Registry.open(sys.argv[1]).close()"
    running = [subprocess.Popen([sys.executable, "-c", program, str(place)], cwd=ROOT) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert contents(place)[MIGRATIONS_TABLE] == [(number + 1,) for number in range(len(MIGRATIONS))]


def contents(place: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, read without lineal."""
    database = sqlite3.connect(place)
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {table: sorted(database.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}
    database.close()
    return rows


def test_a_migration_that_fails_changes_nothing(registry: Registry):
    store = Store(registry.path)
    with pytest.raises(RegistryError, match="syntax error"):
        store.migrate((*MIGRATIONS, ("CREATE TABLE note (id {key}) {rows}", "CREATE NONSENSE")))
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'note'").scalar_one() == 0
    assert store.version() == len(MIGRATIONS)
    store.close()


def test_a_newer_schema_is_refused_naming_both_versions(registry: Registry):
    store = Store(registry.path)
    store.migrate((*MIGRATIONS, ("CREATE TABLE note (id {key}) {rows}",)))
    store.close()
    known = len(MIGRATIONS)
    with pytest.raises(RegistryError, match=f"has schema {known + 1}, this lineal knows schemas up to {known}"):
        _ = Registry.open(registry.path)


def test_a_broken_constraint_is_an_error_of_the_registry_and_changes_nothing(registry: Registry):
    broken = model("broken")
    broken.manifest.package["config.json"] = b"short"  # pyright: ignore[reportIndexIssue]
    with pytest.raises(RegistryError, match=r"registry\.db: CHECK constraint failed.*nothing was changed"):
        registry.add_models([model("whole"), broken])
    assert not registry.knows(model("whole").manifest.model_hash)


def test_a_full_disk_is_a_clear_error_and_leaves_an_intact_registry(tmp_path: Path):
    program = """
import resource, signal, sys
from lineal.errors import RegistryError
from lineal.lineage.registry import Registry
from tests.lineage.families import model
registry = Registry.open(sys.argv[1])
registry.add_model(model("before"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    registry.add_models(model(str(i)) for i in range(5_000))
except RegistryError as error:
    print(error)
"""
    place = tmp_path / "registry.db"
    ran = subprocess.run(
        [sys.executable, "-c", program, str(place)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "nothing was changed" in ran.stdout, ran.stdout
    with Registry.open_existing(place) as registry:
        assert registry.knows(model("before").manifest.model_hash)
        assert not registry.knows(model("0").manifest.model_hash)


def test_many_processes_make_one_registry(tmp_path: Path):
    place = tmp_path / "registry.db"
    program = "import sys; from lineal.lineage.registry import Registry; Registry.open(sys.argv[1]).close()"
    running = [subprocess.Popen([sys.executable, "-c", program, str(place)], cwd=ROOT) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    create_store(place)
    Registry.open_existing(place).close()
