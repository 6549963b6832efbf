"""Recording steps: a new one, one known already, one that reproduces its own past, or one that would close a cycle."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from sqlalchemy import Connection

from lineal.derivation.canonical import canonical_json
from lineal.errors import LineageCycle
from lineal.lineage import edges, models, steps
from lineal.lineage.order import shortest_path
from lineal.lineage.records import Outcome, Recording, StepRecord
from lineal.lineage.references import labels
from lineal.lineage.store import batches, execute_each

_ADD_STEP = """
    INSERT INTO step (derivation_id, child_id, type, method, version, options, evidence, share, environment_id,
        seconds, created, reproduces)
    VALUES (:derivation_id, :child_id, :type, :method, :version, :options, :evidence, :share, :environment_id,
        :seconds, :created, :reproduces)
"""
_ADD_INPUT = """
    INSERT INTO step_input (step_id, position, role, model_id, child_id)
    SELECT step.id, :position, :role, :model_id, :edge_child_id FROM step
    WHERE derivation_id = :derivation_id AND step.child_id = :child_id
"""
_ADD_DATA_FILE = "INSERT INTO data_file (name, data_hash) VALUES (:name, :data_hash) ON CONFLICT DO NOTHING"
_ADD_DATA = """
    INSERT INTO step_data (step_id, position, data_file_id)
    SELECT step.id, :position, data_file.id FROM step, data_file
    WHERE derivation_id = :derivation_id AND child_id = :child_id AND name = :name AND data_hash = :data_hash
"""


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
    def identity(self) -> dict[str, object]:
        return {"derivation_id": self.derivation_id, "child_id": self.child_id}


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
        self.with_children = edges.with_children(connection, {entry.child_id for entry in self.entries})
        self.unwritten: list[tuple[_Entry, bool]] = []

    def record(self) -> list[Recording]:
        recordings = [self._judge(entry) for entry in self.entries]
        self._write()
        return recordings

    def _judge(self, entry: _Entry) -> Recording:
        record = entry.record
        known = self.children.setdefault(entry.derivation_id, [])
        others = tuple(child for child in known if child != record.child)
        if record.child in known:
            self._write()
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
        execute_each(self.connection, _ADD_STEP, (_step_row(entry, reproduces) for entry, reproduces in pending))
        inputs = (
            {
                **entry.identity,
                "position": position,
                "role": used.role,
                "model_id": entry.input_ids[position],
                "edge_child_id": None if reproduces else entry.child_id,
            }
            for entry, reproduces in pending
            for position, used in enumerate(entry.record.step.inputs)
        )
        execute_each(self.connection, _ADD_INPUT, inputs)
        data = [
            {**entry.identity, "position": position, "name": file.name, "data_hash": file.data_hash}
            for entry, _ in pending
            for position, file in enumerate(entry.record.step.data)
        ]
        execute_each(self.connection, _ADD_DATA_FILE, data)
        execute_each(self.connection, _ADD_DATA, data)
        steps.explain(self.connection, (entry.record for entry, _ in pending))


def _step_row(entry: _Entry, reproduces: bool) -> dict[str, object]:
    record = entry.record
    return {
        **entry.identity,
        "type": record.step.type,
        "method": record.step.method,
        "version": record.step.version,
        "options": canonical_json(record.step.options).decode(),
        "evidence": record.evidence.value,
        "share": record.share,
        "environment_id": entry.environment_id,
        "seconds": record.seconds,
        "created": record.created,
        "reproduces": int(reproduces),
    }


def _input_hashes(record: StepRecord) -> tuple[bytes, ...]:
    return tuple(used.model_hash for used in record.step.inputs)


def _keys(keys: Mapping[bytes, int], record: StepRecord) -> tuple[int, ...]:
    return tuple(keys[digest] for digest in _input_hashes(record))


def _is_computed(record: StepRecord) -> bool:
    """An original without data was brought, not computed: many models may come in the same way."""
    return record.step.type != "original" or bool(record.step.data)
