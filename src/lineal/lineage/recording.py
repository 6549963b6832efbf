"""Recording steps: a new one, one known already, one that reproduces its own past, or one that would close a cycle."""

from collections.abc import Iterable, Sequence
from typing import final

from sqlalchemy import Connection

from lineal.errors import LineageCycle
from lineal.lineage import models, steps
from lineal.lineage.edges import edges_above, leads_up, shortest_path
from lineal.lineage.names import labels
from lineal.lineage.records import Outcome, Recording, StepRecord
from lineal.lineage.store import batches, execute_each, rows_for

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
class _Batch:
    """Steps on their way into the registry, judged one by one in order and written together."""

    def __init__(self, connection: Connection, records: Sequence[StepRecord]) -> None:
        self.connection = connection
        self.records = [(record.step.derivation_id, record) for record in records]
        hashes = [digest for r in records for digest in (*(i.model_hash for i in r.step.inputs), r.child)]
        self.keys = models.mention(connection, hashes)
        self.environments = steps.environment_keys(connection, records)
        self.children = steps.children_of(connection, [derivation_id for derivation_id, _ in self.records])
        query = "SELECT DISTINCT model_id FROM step_input WHERE model_id IN :values AND child_id IS NOT NULL"
        child_keys = {self.keys[record.child] for record in records}
        self.with_children = {row[0] for row in rows_for(connection, query, child_keys)}
        self.unwritten: list[tuple[bytes, StepRecord, bool]] = []

    def record(self) -> list[Recording]:
        recordings = [self._judge(derivation_id, record) for derivation_id, record in self.records]
        self._write()
        return recordings

    def _judge(self, derivation_id: bytes, record: StepRecord) -> Recording:
        known = self.children.setdefault(derivation_id, [])
        others = tuple(child for child in known if child != record.child)
        if record.child in known:
            self._write()
            steps.witness(self.connection, record)
            return Recording(Outcome.KNOWN, others)
        reproduces = record.reproduces or self._closes_a_cycle(record)
        if reproduces and not record.evidence.is_witnessed:
            raise LineageCycle(f"lineage cycle: {' -> '.join(self._cycle(record))}")
        known.append(record.child)
        self.unwritten.append((derivation_id, record, reproduces))
        if not reproduces:
            self.with_children.update(self.keys[i.model_hash] for i in record.step.inputs)
        if others and _is_computed(record):
            return Recording(Outcome.IRREPRODUCIBLE, others)
        return Recording(Outcome.REPRODUCES if reproduces else Outcome.NEW, others)

    def _closes_a_cycle(self, record: StepRecord) -> bool:
        child = self.keys[record.child]
        inputs = {self.keys[i.model_hash] for i in record.step.inputs}
        if child in inputs:
            return True
        if child not in self.with_children:
            return False  # nothing descends from the child, so no input does
        self._write()
        return leads_up(self.connection, inputs, child)

    def _cycle(self, record: StepRecord) -> list[str]:
        """The names along the cycle, from the child down to the input that would become its parent, and back."""
        child = self.keys[record.child]
        paths = (
            shortest_path(edges_above(self.connection, key), key, child)
            for key in (self.keys[i.model_hash] for i in record.step.inputs)
        )
        path = min((path for path in paths if path), key=len)
        hashes = models.hashes(self.connection, path)
        named = labels(self.connection, hashes.values())
        return [named[hashes[key]] for key in (*path, child)]

    def _write(self) -> None:
        pending, self.unwritten = self.unwritten, []
        execute_each(self.connection, _ADD_STEP, (self._step_row(*entry) for entry in pending))
        inputs = (
            {
                **self._identity(derivation_id, record),
                "position": position,
                "role": used.role,
                "model_id": self.keys[used.model_hash],
                "edge_child_id": None if reproduces else self.keys[record.child],
            }
            for derivation_id, record, reproduces in pending
            for position, used in enumerate(record.step.inputs)
        )
        execute_each(self.connection, _ADD_INPUT, inputs)
        data = [
            {**self._identity(digest, record), "position": position, "name": file.name, "data_hash": file.data_hash}
            for digest, record, _ in pending
            for position, file in enumerate(record.step.data)
        ]
        execute_each(self.connection, _ADD_DATA_FILE, data)
        execute_each(self.connection, _ADD_DATA, data)

    def _identity(self, derivation_id: bytes, record: StepRecord) -> dict[str, object]:
        return {"derivation_id": derivation_id, "child_id": self.keys[record.child]}

    def _step_row(self, derivation_id: bytes, record: StepRecord, reproduces: bool) -> dict[str, object]:
        return {
            **self._identity(derivation_id, record),
            "type": record.step.type,
            "method": record.step.method,
            "version": record.step.version,
            "options": steps.options_text(record.step.options),
            "evidence": record.evidence.value,
            "share": record.share,
            "environment_id": self.environments[steps.environment_text(record)],
            "seconds": record.seconds,
            "created": record.created,
            "reproduces": int(reproduces),
        }


def _is_computed(record: StepRecord) -> bool:
    """An original without data was brought, not computed: many models may come in the same way."""
    return record.step.type != "original" or bool(record.step.data)
