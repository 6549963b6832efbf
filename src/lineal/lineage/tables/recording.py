"""Recording steps: a new one, one known already, one that reproduces its own past, or one that would close a cycle."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from lineal.derivation.canonical import canonical_json
from lineal.errors import LineageCycle
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import batches, insert
from lineal.lineage.records.records import Outcome, Recording, StepRecord
from lineal.lineage.tables import edges, models, reports, steps
from lineal.lineage.tables.order import shortest_path
from lineal.lineage.tables.references import labels

_STEP = {"derivation_id": "blob", "child_id": "integer"}
_STEPS = Insertion(
    "step",
    {
        **_STEP,
        "type": "text",
        "method": "text",
        "version": "integer",
        "rules": "integer",
        "options": "text",
        "evidence": "text",
        "share": "real",
        "environment_id": "integer",
        "seconds": "real",
        "created": "real",
        "reproduces": "integer",
    },
)
_STEP_ID = "(SELECT id FROM step WHERE derivation_id = {derivation_id} AND child_id = {child_id})"
_INPUTS = Insertion(
    "step_input",
    {**_STEP, "position": "integer", "role": "text", "model_id": "integer", "edge_child_id": "integer"},
    {
        "step_id": _STEP_ID,
        "position": "{position}",
        "role": "{role}",
        "model_id": "{model_id}",
        "child_id": "{edge_child_id}",
    },
)
_FILE = {"name": "text", "data_hash": "blob"}
_DATA_FILES = Insertion("data_file", _FILE, on_conflict="ON CONFLICT DO NOTHING")
_DATA = Insertion(
    "step_data",
    {**_STEP, "position": "integer", **_FILE},
    {
        "step_id": _STEP_ID,
        "position": "{position}",
        "data_file_id": "(SELECT id FROM data_file WHERE name = {name} AND data_hash = {data_hash})",
    },
)


def record_all(connection: Connection, records: Iterable[StepRecord]) -> list[Recording]:
    return [recording for batch in batches(records) for recording in _Batch(connection, batch).record()]


@final
@dataclass(frozen=True)
class _Entry:
    """A step with what was worked out for its rows."""

    record: StepRecord
    derivation_id: bytes
    environment_id: int
    child_id: int
    input_ids: tuple[int, ...]

    @property
    def identity(self) -> tuple[bytes, int]:
        return self.derivation_id, self.child_id


@final
class _Batch:
    """Steps on their way into the registry, judged one by one in order and written together."""

    def __init__(self, connection: Connection, records: Sequence[StepRecord]) -> None:
        self.connection = connection
        keys = models.mention(connection, (d for r in records for d in (*_input_hashes(r), r.child)))
        environments = steps.environment_keys(connection, records)
        self.entries = [
            _Entry(record, record.step.derivation_id, environment, keys[record.child], _keys(keys, record))
            for record, environment in zip(records, environments, strict=True)
        ]
        self.children = steps.children_of(connection, (entry.derivation_id for entry in self.entries))
        self.known = set(self.children)
        self.with_children = edges.with_children(connection, {entry.child_id for entry in self.entries})
        self.unwritten: list[tuple[_Entry, bool]] = []

    def record(self) -> list[Recording]:
        recordings = [self._judge(entry) for entry in self.entries]
        self._write()
        reports.keep(self.connection, (entry.record for entry in self.entries))
        return recordings

    def _judge(self, entry: _Entry) -> Recording:
        record = entry.record
        known = self.children.setdefault(entry.derivation_id, [])
        others = tuple(child for child in known if child != record.child)
        if record.child in known:
            self._write()
            with sealed(self.connection, ["step"], [entry.derivation_id]):
                steps.witness(self.connection, record, entry.environment_id)
                steps.explain(self.connection, [record])
            return Recording(Outcome.KNOWN, others)
        reproduces = record.reproduces or self._closes_a_cycle(entry)
        if reproduces and not (record.reproduces or record.evidence.is_witnessed):
            raise LineageCycle(f"lineage cycle: {' -> '.join(self._cycle(entry))}")
        known.append(record.child)
        self.unwritten.append((entry, reproduces))
        if not reproduces:
            self.with_children.update(entry.input_ids)
        if others and _is_computed(record):
            return Recording(Outcome.IRREPRODUCIBLE, others)
        return Recording(Outcome.REPRODUCES if reproduces else Outcome.NEW, others)

    def _closes_a_cycle(self, entry: _Entry) -> bool:
        if entry.child_id in entry.input_ids:
            return True
        if entry.child_id not in self.with_children:
            return False  # nothing descends from the child, so no input does
        self._write()
        return edges.leads_up(self.connection, entry.input_ids, entry.child_id)

    def _cycle(self, entry: _Entry) -> list[str]:
        """The names along the cycle, from the child down to the input that would become its parent, and back."""
        child = entry.child_id
        paths = (shortest_path(edges.edges_above(self.connection, i), i, child) for i in entry.input_ids)
        path = min((path for path in paths if path), key=len)
        digests = models.hashes(self.connection, path)
        named = labels(self.connection, digests.values())
        return [named[digests[key]] for key in (*path, child)]

    def _write(self) -> None:
        pending, self.unwritten = self.unwritten, []
        done = {entry.derivation_id for entry, _ in pending}
        with sealed(self.connection, ["step"], done, done - self.known):
            self._insert(pending)
        self.known |= done

    def _insert(self, pending: Sequence[tuple[_Entry, bool]]) -> None:
        insert(self.connection, _STEPS, (_step_row(entry, reproduces) for entry, reproduces in pending))
        inputs = (
            (*entry.identity, position, used.role, key, None if reproduces else entry.child_id)
            for entry, reproduces in pending
            for position, (used, key) in enumerate(zip(entry.record.step.inputs, entry.input_ids, strict=True))
        )
        insert(self.connection, _INPUTS, inputs)
        data = [
            (*entry.identity, position, file.name, file.data_hash)
            for entry, _ in pending
            for position, file in enumerate(entry.record.step.data)
        ]
        insert(self.connection, _DATA_FILES, dict.fromkeys(row[-2:] for row in data))
        insert(self.connection, _DATA, data)
        steps.explain(self.connection, (entry.record for entry, _ in pending))


def _step_row(entry: _Entry, reproduces: bool) -> tuple[object, ...]:
    record = entry.record
    return (
        *entry.identity,
        record.step.type,
        record.step.method,
        record.step.version,
        record.step.rules,
        canonical_json(record.step.options).decode(),
        record.evidence.value,
        None if record.share is None else float(record.share),
        entry.environment_id,
        float(record.seconds),
        float(record.created),
        int(reproduces),
    )


def _input_hashes(record: StepRecord) -> tuple[bytes, ...]:
    return tuple(used.model_hash for used in record.step.inputs)


def _keys(keys: Mapping[bytes, int], record: StepRecord) -> tuple[int, ...]:
    return tuple(keys[digest] for digest in _input_hashes(record))


def _is_computed(record: StepRecord) -> bool:
    """An original without data was brought, not computed: many models may come in the same way."""
    return record.step.type != "original" or bool(record.step.data)
