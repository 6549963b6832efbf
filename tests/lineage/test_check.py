"""`check` sees every row: an edit of any column, a row that is gone or new, a table or index that is missing."""

import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from lineal.errors import RegistryError
from lineal.lineage.records.records import Name
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.databases import BEFORE_SEALS
from tests.lineage.edited import Edit, edits, filled, make, restored
from tests.lineage.families import model, step

UNSEEN = {
    "location.path": "where a model lies is told, and moves with the folder: verify hashes what lies there",
    "location.model_id": "likewise",
    "name.id": "a number inside: where nothing refers to it, it says no more than the order of arrival",
    "evaluation.id": "likewise",
    "signature.id": "likewise",
    "taint.id": "likewise",
    "data_taint.id": "likewise",
}
"""What an edit may say unseen, as docs/identity.md has it."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("checked"))


def faults(place: Path) -> tuple[str, ...]:
    try:
        with Registry.open_existing(place) as registry:
            return check(registry).faults
    except RegistryError as error:
        return (str(error),)


def run(place: Path, *statements: str) -> None:
    with closing(sqlite3.connect(place, isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            database.execute(statement)


def unseen(template: Path, folder: Path, tried: Iterable[Edit]) -> list[str]:
    """The edits that can be made and that check says nothing of."""
    return [str(edit) for edit in tried if make(place := restored(template, folder), edit) and not faults(place)]


def test_a_registry_with_something_in_every_table_holds_together(template: Path):
    assert faults(template) == ()


def test_an_edit_of_any_column_is_seen(template: Path, tmp_path: Path):
    """One edit of each, drawn once and for all."""
    by_column: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits(template):
        by_column[f"{edit.table}.{edit.column}"].append(edit)
    draw = random.Random(14)
    drawn = [draw.choice(tried) for column, tried in by_column.items() if column not in UNSEEN]
    assert unseen(template, tmp_path, drawn) == []
    assert by_column.keys() >= UNSEEN.keys()


@pytest.mark.faults
def test_every_edit_of_every_column_is_seen(template: Path, tmp_path: Path):
    tried = [edit for edit in edits(template) if f"{edit.table}.{edit.column}" not in UNSEEN]
    assert unseen(template, tmp_path, tried) == []


def test_what_is_said_to_be_unseen_is(template: Path, tmp_path: Path):
    tried = [edit for edit in edits(template) if f"{edit.table}.{edit.column}" in UNSEEN]
    found = {edit.rpartition("-")[0] for edit in unseen(template, tmp_path, tried)}
    assert found == set(UNSEEN)


def names(template: Path, kind: str) -> list[str]:
    with closing(sqlite3.connect(template)) as database:
        query = "SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%' ORDER BY name"
        return [name for (name,) in database.execute(query, [kind]) if name != "lineal_migration"]


def test_a_table_or_an_index_that_is_missing_is_named(template: Path, tmp_path: Path):
    for kind in ("table", "index"):
        for name in names(template, kind):
            run(place := restored(template, tmp_path), f"DROP {kind} {name}")
            assert f"database: the {kind} {name} is missing" in faults(place)


def test_a_row_that_is_gone_is_missed(template: Path, tmp_path: Path):
    for table in names(template, "table"):
        if table != "location":
            place = restored(template, tmp_path)
            with closing(sqlite3.connect(place)) as database:
                key = ", ".join(row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[5])
            run(place, f"DELETE FROM {table} WHERE ({key}) = (SELECT {key} FROM {table} LIMIT 1)")
            assert faults(place), table


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TRIGGER quiet AFTER INSERT ON taint BEGIN DELETE FROM taint; END", "the trigger quiet is none of"),
        ("CREATE VIEW seen AS SELECT 1", "the view seen is none of lineal's"),
        ("ALTER TABLE version DROP COLUMN quality_score", "the table version is not as lineal makes it"),
        ("ALTER TABLE version ADD COLUMN note TEXT", "the table version is not as lineal makes it"),
        ("INSERT INTO name (family, name, model_id) VALUES ('demo', 'mine', 1)", "name: demo mine b3:"),
        ("INSERT INTO version_tag VALUES (1, 'best')", "version_tag: demo both 1.0.0 is not as it was written"),
        ("DELETE FROM seal WHERE id > 3", "name: demo lean b3:"),
        ("DELETE FROM journal WHERE id = (SELECT max(id) FROM journal)", "journal: entries"),
        ("UPDATE step SET evidence = 'replayed', share = 1 WHERE type = 'fine-tune'", "is not as it was written"),
        ("UPDATE taint SET reason = 'none'", "its taints are not those that the journal says"),
        ("UPDATE step_input SET model_id = child_id WHERE child_id IS NOT NULL", "their edges lead in a circle"),
        ("DELETE FROM lineal_migration WHERE version = 3", "the migrations applied are not 1 to"),
    ],
)
def test_what_was_done_behind_its_back_is_named(template: Path, tmp_path: Path, statement: str, said: str):
    run(place := restored(template, tmp_path), statement)
    assert any(said in fault for fault in faults(place)), faults(place)


def test_what_an_older_registry_holds_is_sealed_as_it_stands(template: Path, tmp_path: Path):
    place = restored(template, tmp_path)
    run(place, *BEFORE_SEALS)
    assert faults(place) == ()
    run(place, "UPDATE evaluation SET perplexity = 1 WHERE id = 1")
    assert [fault.partition(":")[0] for fault in faults(place)] == ["evaluation"]


def test_what_is_recorded_together_is_sealed_together(tmp_path: Path):
    """One derivation with two children, one child twice, a name that moves twice: in one batch, then again."""
    with Registry.open(tmp_path / "registry.db") as registry:
        made = [registry.add_model(model(name)) for name in "abc"]
        steps = [step(made[1], made[0]), step(made[2], made[0]), step(made[1], made[0]), step(made[0], made[1])]
        names = [Name("demo", "one", made[0]), Name("demo", "one", made[1]), Name("other", "one", made[2])]
        for _ in range(2):
            registry.record_all(steps)
            registry.set_names(names)
            assert check(registry).faults == ()
        registry.remove_name(names[2])
        assert check(registry).faults == ()


def test_a_registry_in_the_words_of_an_earlier_lineal_holds_together(tmp_path: Path) -> None:
    """The check of a model's form said IN until migrations were reworded; such registries keep it."""
    place = filled(tmp_path)
    with closing(sqlite3.connect(place)) as database:
        (written,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'model'").fetchone()
        earlier = written.replace(
            "form = 'full' OR form = 'adapter' OR form = 'gguf'", "form IN ('full', 'adapter', 'gguf')"
        )
        assert earlier != written
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'model'", (earlier,))
        database.commit()
    assert faults(place) == ()
