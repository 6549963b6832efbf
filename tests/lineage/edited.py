"""A registry with something in every table, and every way in which a hand could edit one of its columns."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from lineal.checkpoint.licence.stated import StatedLicence
from lineal.lineage.licensing import records as licences
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Evaluation, Inference, Name
from lineal.lineage.records.rounding import Rounding
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.signing.keys import read_private_key
from lineal.lineage.signing.trust import sign_model, sign_steps
from lineal.lineage.stated import data_taints, policies, recipe_files
from lineal.lineage.stated.policies import Policy
from lineal.lineage.stated.promotion import promote
from lineal.lineage.stated.recipe_files import RecipeFile
from tests.lineage.families import add_family, digest, in_layouts, model, step
from tests.lineage.signing.keys import make_key, write_private

Value = int | float | str | bytes | None


@dataclass(frozen=True)
class Edit:
    """One value of one row. what: in words; value: as SQL, so that text can be no UTF-8."""

    table: str
    column: str
    what: str
    value: str
    row: int = 1

    def __str__(self) -> str:
        return f"{self.table}.{self.column}-{self.what}"


def filled(folder: Path) -> Path:
    """A registry in which every table has rows, in one file to be copied."""
    fill(place := folder / "registry.db", folder / "key.pem")
    with closing(sqlite3.connect(place)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    return place


def restored(template: Path, folder: Path) -> Path:
    """A copy, alone in its folder."""
    for file in folder.iterdir():
        file.unlink()
    return Path(shutil.copy(template, folder / "registry.db"))


def fill(place: Path, key: Path) -> None:
    with Registry.open(place) as registry:
        made = add_family(registry, folder=place.parent)
        stated = replace(model("stated", licence=digest("text").hex()), stated=StatedLicence("mit", "its card"))
        own = registry.add_model(stated)
        registry.set_name(Name("demo", "stated", own))
        registry.set_name(Name("other", "both", made["both"]))
        for fused in (False, True):
            registry.add_model(in_layouts("mixture", fused=fused))
        guessed = replace(
            step(own, made["base"], evidence=Evidence.INFERRED), inference=Inference("weights", 0.9, 0.01, "alike")
        )
        registry.record(guessed)
        registry.record(step(made["base"], made["both"], method="back", evidence=Evidence.RECORDED))
        cost = Rounding(squares=2.0, squared_error=0.01, largest_error=0.125, outliers=1)
        (quantized,) = registry.steps_of(made["q4"])
        registry.record(replace(quantized, rounding={"model.embed_tokens.weight": cost}))
        registry.raise_evidence(registry.steps_of(made["both"])[0], Evidence.REPLAYED, 0.5)
        compared = Evaluation(
            made["both"], "kl", digest("kl"), {"context": 8}, made["base"], kl=0.25, tokens=8, text_bytes=9
        )
        registry.record_evaluation(compared)
        for number in (SemanticVersion(1, 0, 0), SemanticVersion(1, 1, 0)):
            registry.add_version(
                "demo:both", number, tags=(f"t{number.minor}",), quality_score=90.0, metrics={"mmlu": 0.5}
            )
        promote(registry, "demo:both@1.0.0", Stage.STAGING)
        registry.taint(own, "a leak", "issue-1")
        registry.taint(made["prose"], "an error", "issue-2")
        registry.clear(made["prose"], "it was none")
        data_taints.add(registry, digest("prose.jsonl"), "holds the test set", "issue-3")
        data_taints.add(registry, digest("all.txt"), "wrong", "issue-4")
        data_taints.clear(registry, digest("all.txt"), "right after all")
        policies.set_policy(registry, "demo", Stage.STAGING, Policy(least={"mmlu": 0.1}))
        policies.set_policy(registry, "demo:both", Stage.PRODUCTION, Policy(evidence=Evidence.CLAIMED))
        licences.state(registry, made["code"], "mit")
        licences.override(registry, made["q4"], "apache-2.0", "agreed")
        licences.state_data(registry, digest("code.jsonl"), "mit")
        recipe_files.keep(registry, made["both"], RecipeFile("family.yaml", digest("family.yaml")))
        secret = read_private_key(write_private(key, make_key("ed25519")), str)
        registry.keep_signatures(
            [sign_model(registry, made["both"], secret), *sign_steps(registry, made["lean"], secret)]
        )


def edits(place: Path) -> Iterator[Edit]:
    """For every column of every table: other values of its type, and values that it cannot hold."""
    with closing(sqlite3.connect(place)) as database:
        tables = [
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        ]
        for table in (name for name in tables if not name.startswith("sqlite_")):
            rows = database.execute(f"SELECT * FROM {table} ORDER BY {_key(database, table)}").fetchall()
            assert rows, f"{table} is empty"
            for position, (_, column, kind, *_) in enumerate(
                database.execute(f"PRAGMA table_info({table})").fetchall()
            ):
                values = [row[position] for row in rows]
                filled = next((index for index, value in enumerate(values) if value is not None), 0)
                for what, value in _others(values[filled], values, kind):
                    yield Edit(table, column, what, value, filled)


def _others(old: Value, held: list[Value], kind: str) -> Iterator[tuple[str, str]]:
    other = next((value for value in held if value not in (old, None)), None)
    if other is not None:
        yield "another row's", _sql(other)
    if old is not None:
        yield "nothing", "NULL"
    match old:
        case int() if kind == "INTEGER":
            yield from (("one more", _sql(old + 1)), ("negative", "-7"), ("huge", _sql(2**62)), ("a word", "'x'"))
        case float() | int():
            yield from (("a little more", _sql(old + 0.125)), ("negative", "-1.5"), ("endless", "9e999"))
            yield from (("enormous", "1e300"), ("a word", "'x'"))
        case str():
            yield from (("reworded", _sql(_reworded(old))), ("empty", "''"), ("cut", _sql(old[: len(old) // 2])))
            yield from (("a number", "'4611686018427387904'"), ("no UTF-8", "CAST(x'63ff' AS TEXT)"))
            yield from (("nested", f"'{'[' * 100_000}'"), ("bytes", "x'00'"), ("an escape", "char(27) || '[2J'"))
        case bytes():
            yield from (("other bytes", _sql(digest("other"))), ("short", "x'00ff'"), ("a word", "'x'"))
        case None:
            yield "something", {"INTEGER": "1", "REAL": "0.5", "TEXT": "'x'", "BLOB": _sql(digest("other"))}[kind]


def _reworded(old: str) -> str:
    if old.startswith("{"):
        return json.dumps({**json.loads(old), "another": 1}, separators=(",", ":"))
    return old + "x"


def _sql(value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return f"x'{value.hex()}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return repr(value)


def make(place: Path, edit: Edit) -> bool:
    """Edit a row, whatever the database's rules say; whether that could be done. Its rules are as before then."""
    with closing(sqlite3.connect(place, isolation_level=None)) as database:
        (schema,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", [edit.table]).fetchone()
    loose = schema.replace("STRICT, WITHOUT ROWID", "WITHOUT ROWID").replace("STRICT", "")
    for column in ("INTEGER", "REAL", "TEXT", "BLOB"):
        loose = loose.replace(f"{column} NOT NULL", column)
    _rewrite(place, edit.table, loose)
    with closing(sqlite3.connect(place, isolation_level=None)) as database:
        for setting in ("ignore_check_constraints = ON", "foreign_keys = OFF"):
            database.execute(f"PRAGMA {setting}")
        key = _key(database, edit.table)
        place_of = f"FROM {edit.table} ORDER BY {key} LIMIT 1 OFFSET {edit.row}"
        *row, held = database.execute(f"SELECT {key}, {edit.column} IS {edit.value} {place_of}").fetchone()
        where = " AND ".join(f"{column} IS ?" for column in key.split(", "))
        try:
            if held:
                return False
            database.execute(f"UPDATE {edit.table} SET {edit.column} = {edit.value} WHERE {where}", row)
        except sqlite3.IntegrityError:
            return False  # an index, which nobody edits around
        finally:
            _rewrite(place, edit.table, schema)
    return True


def _key(database: sqlite3.Connection, table: str) -> str:
    return ", ".join(name for _, name, *_, key in database.execute(f"PRAGMA table_info({table})") if key)


def _rewrite(place: Path, table: str, schema: str) -> None:
    with closing(sqlite3.connect(place, isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [schema, table])
        (version,) = database.execute("PRAGMA schema_version").fetchone()
        database.execute(f"PRAGMA schema_version = {version + 1}")
