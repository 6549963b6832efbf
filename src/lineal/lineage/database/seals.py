"""What is said and cannot be derived is sealed: an edit, a removal or a move of such a row is noticed.

Whoever writes rows does it inside `sealed`. What the database holds of them before and after is compared, and a seal
says which rows there are since, and which no longer, each by a hash; seals are a chain, as the journal is, and name the
journal's last entry, so that none is taken off its end unseen.
"""

import json
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast, final

from blake3 import blake3

from lineal.derivation.canonical import Json
from lineal.lineage.database.chain import JOURNAL, SEALS
from lineal.lineage.database.connection import Connection, Row
from lineal.lineage.database.statements import batches, rows_for

_OF_MODEL = "JOIN model ON model.id = model_id"
_OF_VERSION = "version JOIN name ON name.id = name_id"
_CLEARED = ("reason", "source", "created", "cleared", "cleared_because")
_VERSION = ("family", "name", "semver")


@final
@dataclass(frozen=True)
class _Sealed:
    """columns: what is sealed of a row, with hashes and names where it holds numbers; about: what rows are found by."""

    columns: tuple[str, ...]
    rows: str
    about: str


_SEALED: Mapping[str, _Sealed] = {
    "model": _Sealed(
        ("model_hash", "form", "licence"),
        "(SELECT * FROM model WHERE form <> 'full' OR licence IS NOT NULL) AS peculiar",
        "model_hash",
    ),
    "model_layout": _Sealed(
        ("model_hash", "layout_hash"), "(SELECT * FROM model WHERE layout_hash IS NOT NULL) AS known", "model_hash"
    ),
    "model_licence": _Sealed(
        ("model_hash", "basis", "model_licence.licence", "source"), f"model_licence {_OF_MODEL}", "model_hash"
    ),
    "data_licence": _Sealed(("data_hash", "licence"), "data_licence", "data_hash"),
    "name": _Sealed(("family", "name", "model_hash"), f"name {_OF_MODEL}", "name"),
    "version": _Sealed(
        (*_VERSION, "model_hash", "stage", "quality_score", "created"),
        f"{_OF_VERSION} JOIN model ON model.id = version.model_id",
        "name",
    ),
    "version_tag": _Sealed((*_VERSION, "tag"), f"{_OF_VERSION} JOIN version_tag ON version_id = version.id", "name"),
    "version_metric": _Sealed(
        (*_VERSION, "metric", "figure"), f"{_OF_VERSION} JOIN version_metric ON version_id = version.id", "name"
    ),
    "policy": _Sealed(("family", "name", "stage", "rules"), "policy", "family"),
    "taint": _Sealed(("model_hash", *_CLEARED), f"taint {_OF_MODEL}", "model_hash"),
    "data_taint": _Sealed(("data_hash", *_CLEARED), "data_taint", "data_hash"),
    "step": _Sealed(
        (
            *("derivation_id", "model_hash", "evidence", "share", "content", "seconds", "created", "reproduces"),
            *("inference.method", "score", "p_value", "reason"),
        ),
        """
        step JOIN model ON model.id = child_id JOIN environment ON environment.id = environment_id
            LEFT JOIN inference ON inference.step_id = step.id
        """,
        "derivation_id",
    ),
    "evaluation": _Sealed(
        (
            *("model.model_hash", "reference.model_hash", "text", "data_hash", "settings"),
            *("perplexity", "bits_per_byte", "kl", "tokens", "text_bytes"),
        ),
        f"evaluation {_OF_MODEL} LEFT JOIN model AS reference ON reference.id = reference_id",
        "model.model_hash",
    ),
    "signature": _Sealed(
        ("model_hash", "derivation_id", "key_id", "envelope"),
        f"signature {_OF_MODEL} LEFT JOIN step ON step.id = step_id",
        "model_hash",
    ),
    "recipe_file": _Sealed(
        ("model_hash", "content_hash", "recipe_file.name"), f"recipe_file {_OF_MODEL}", "model_hash"
    ),
    "quantization_report": _Sealed(
        ("derivation_id", "model_hash", "rounding"),
        "quantization_report JOIN step ON step.id = step_id JOIN model ON model.id = child_id",
        "derivation_id",
    ),
}
_YOUNGER = ("model_layout", "quantization_report")
"""What came to be sealed after seals had begun: of it an older registry holds nothing."""

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@contextmanager
def sealed(
    connection: Connection, tables: Collection[str], about: Iterable[object], new: Collection[object] = ()
) -> Generator[None]:
    """Around what writes rows of these tables. about: the models, data, names or steps that they are of.

    new: those of them that no row is of yet.
    """
    wanted = list(about)
    known = [one for one in wanted if one not in new]
    before = {table: Counter(_digests(_some(connection, table, known))) for table in tables}
    yield
    for table in tables:
        now = Counter(_digests(_some(connection, table, wanted)))
        _seal(connection, table, now - before[table], before[table] - now)


def note(
    connection: Connection, table: str, added: Iterable[Sequence[object]], gone: Iterable[Sequence[object]]
) -> None:
    """Seal rows that are known without asking: what became of the columns of a table that are sealed."""
    _seal(connection, table, Counter(map(_digest, added)), Counter(map(_digest, gone)))


def begin(connection: Connection) -> None:
    """Seal what an older registry holds, as it stands."""
    for table in (table for table in _SEALED if table not in _YOUNGER):
        for batch in batches(_digests(connection.execute(_query(table)))):
            _seal(connection, table, Counter(batch), Counter())


def faults(connection: Connection) -> Iterator[str]:
    """Rows that were never sealed as they are, and how many that were are there no longer."""
    broken = SEALS.fault(connection)
    if broken is not None:
        yield broken
        return
    standing: dict[str, Counter[str]] = {table: Counter() for table in _SEALED}
    entries = 0
    for link in SEALS.links(connection):
        table, entries = str(link.content["table"]), int(str(link.content["journal"]))
        standing[table].update(cast(list[str], link.content["added"]))
        standing[table].subtract(cast(list[str], link.content["gone"]))
    if JOURNAL.length(connection) < entries:
        yield f"journal: entries {JOURNAL.length(connection) + 1} to {entries} are missing"
    for table in _SEALED:
        yield from _against(table, standing[table], connection.execute(_query(table)))


def _against(table: str, said: Counter[str], rows: Iterable[Row]) -> Iterator[str]:
    altered = 0
    for row in rows:
        digest = _digest(row)
        if said[digest] <= 0:
            altered += 1
            yield f"{table}: {_named(row)} is not as it was written"
        said[digest] -= 1
    lost = (+said).total() - altered
    if lost > 0:
        yield f"{table}: {lost} of its rows {'is' if lost == 1 else 'are'} gone"


def _named(row: Row) -> str:
    """What a row is about, in the words of its first columns."""
    words = (f"b3:{value.hex()[:8]}" if isinstance(value, bytes) else ascii(value)[1:-1][:60] for value in row[:3])
    return " ".join(words)


def _some(connection: Connection, table: str, about: list[object]) -> Iterator[Row]:
    return rows_for(connection, f"{_query(table)} WHERE {_SEALED[table].about} IN :values", about)


def _query(table: str) -> str:
    """Every column under a name that no gate knows: sealed is what is there."""
    asked = ", ".join(f'{column} AS "{column} sealed"' for column in _SEALED[table].columns)
    return f"SELECT {asked} FROM {_SEALED[table].rows}"


def _digests(rows: Iterable[Row]) -> Iterator[str]:
    return map(_digest, rows)


def _digest(row: Iterable[object]) -> str:
    """Half a BLAKE3 of the row as a JSON array, bytes in hex: rows are told apart, and a seal stays short."""
    values = [value.hex() if isinstance(value, bytes) else value for value in row]
    return blake3(_JSON.encode(values).encode()).digest(16).hex()


def _seal(connection: Connection, table: str, added: Counter[str], gone: Counter[str]) -> None:
    if added or gone:
        content: dict[str, Json] = {
            "table": table,
            "added": list(added.elements()),
            "gone": list(gone.elements()),
            "journal": JOURNAL.length(connection),
        }
        SEALS.append(connection, [content])
