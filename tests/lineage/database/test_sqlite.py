"""A registry in an SQLite file: made whole, recognised, and never another program's."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lineal.errors import RegistryError
from lineal.lineage.registry import Registry
from tests.lineage.families import ROOT, model


def test_a_registry_is_made_where_none_is_with_its_folders(tmp_path: Path):
    place = tmp_path / "a" / ".lineal" / "registry.db"
    with Registry.open(place) as registry:
        assert registry.names() == ()
        assert (registry.place, registry.folder) == (str(place), place.parent)
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


def test_a_folder_and_a_url_of_another_kind_are_refused(tmp_path: Path):
    with pytest.raises(RegistryError, match="cannot be read: a folder, where a file is needed"):
        _ = Registry.open(tmp_path)
    with pytest.raises(RegistryError, match="cannot be a mysql:// URL"):
        _ = Registry.open("mysql://host/lineal")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path):
    _ = (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError, match="no registry can be made at"):
        _ = Registry.open(tmp_path / "file" / "registry.db")


def test_a_registry_keeps_every_setting_it_relies_on(tmp_path: Path):
    with Registry.open(tmp_path / "registry.db") as registry, registry.reading() as connection:
        settings = {
            name: connection.execute_raw(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
        tables = connection.execute_raw("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").all()
    assert settings == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 120_000}
    assert all(strict for name, strict in tables if not name.startswith("sqlite_"))


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
