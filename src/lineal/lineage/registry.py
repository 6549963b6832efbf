"""The registry: every model, step, name and evaluation known here, in one database."""

from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, final

from lineal.checkpoint.content.identity import Manifest
from lineal.derivation.canonical import Json
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.store import Store, begin_store, dialect_at, open_store
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import (
    Evaluation,
    KnownModel,
    ModelRecord,
    ModelVersion,
    Name,
    Recording,
    StepRecord,
)
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.tables import (
    evaluations,
    journal,
    models,
    names,
    recording,
    references,
    signatures,
    steps,
    taints,
    versions,
)
from lineal.lineage.tables.journal import Entry
from lineal.lineage.tables.signatures import Signature
from lineal.lineage.tables.taints import Taint


@final
class Registry:
    """Remembers what was hashed and done. Each call that writes is one transaction, durable when it returns.

    Hashes of models that nobody added are accepted wherever a step refers to them: such models are unresolved.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """The registry at this place; an empty one is made where none is."""
        return cls(begin_store(dialect_at(location)))

    @classmethod
    def open_existing(cls, location: str | Path) -> Self:
        """The registry at this place, for those who only read: refused where none is."""
        return cls(open_store(dialect_at(location)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; nothing may be asked afterwards."""
        self._store.close()

    @property
    def place(self) -> str:
        """Where it is, as people are told: a path, or a URL without its password."""
        return self._store.dialect.place

    @property
    def folder(self) -> Path:
        """Where this machine keeps what goes with the registry but not into it."""
        return self._store.dialect.folder

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """One moment of the registry, for questions that take more than one query."""
        with self._store.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction, for changes that are not the registry's own: durable at its end, undone by an error."""
        with self._store.writing() as connection:
            yield connection

    # Models

    def add_model(self, record: ModelRecord, location: Path | None = None) -> bytes:
        """Know a model from now on, and where it lies; adding it again changes nothing. Returns its hash."""
        model_hash = record.manifest.model_hash
        with self._store.writing() as connection:
            models.add(connection, [record])
            if location is not None:
                models.place(connection, location, model_hash)
        return model_hash

    def add_models(self, records: Iterable[ModelRecord]) -> None:
        """Know many models from now on: all or none."""
        with self._store.writing() as connection:
            models.add(connection, records)

    def model(self, model_hash: bytes) -> KnownModel:
        """What is known of a model; RegistryError for one that is not."""
        with self.reading() as connection:
            _ = models.key(connection, model_hash)
            return models.facts(connection, [model_hash])[model_hash]

    def knows(self, model_hash: bytes) -> bool:
        """Whether the model was added, or at least referred to."""
        with self.reading() as connection:
            return bool(models.keys(connection, [model_hash]))

    def manifest(self, model_hash: bytes) -> Manifest:
        """What a model's hash is made of, leaf by leaf and file by file."""
        with self.reading() as connection:
            return models.manifest(connection, model_hash)

    def locations(self, model_hash: bytes) -> tuple[Path, ...]:
        """The places where a model lies, as far as the registry knows; it does not look."""
        with self.reading() as connection:
            return models.locations(connection, model_hash)

    def forget(self, location: Path) -> bool:
        """Know no longer that a model lies there; whether one was known to. The model itself stays known."""
        with self._store.writing() as connection:
            return models.forget(connection, location)

    # Steps

    def record(self, record: StepRecord) -> Recording:
        """Remember a step; a merely claimed or inferred one that would close a cycle raises LineageCycle."""
        return self.record_all([record])[0]

    def record_all(self, records: Iterable[StepRecord]) -> list[Recording]:
        """Remember many steps, in order: all or none."""
        with self._store.writing() as connection:
            return recording.record_all(connection, records)

    def derived(self, derivation_id: bytes) -> tuple[bytes, ...]:
        """The children known for a derivation, first recorded first."""
        with self.reading() as connection:
            return steps.derived(connection, derivation_id)

    def steps_of(self, model_hash: bytes) -> tuple[StepRecord, ...]:
        """Every way in which a model is known to have been made, first recorded first."""
        with self.reading() as connection:
            return tuple(steps.of_children(connection, [model_hash]).get(model_hash, ()))

    def raise_evidence(self, record: StepRecord, grade: Evidence, share: float | None = None) -> Evidence:
        """Attest a known step better; the grade that stands then. share: of a replay, the part recomputed."""
        with self._store.writing() as connection:
            return steps.raise_evidence(connection, record, grade, share)

    # Names

    def set_name(self, name: Name) -> None:
        """Let a name stand for a model, whatever it stood for before."""
        self.set_names([name])

    def set_names(self, called: Iterable[Name]) -> None:
        """Let many names stand for models, in order: all or none."""
        with self._store.writing() as connection:
            names.set_names(connection, called)

    def name(self, reference: str) -> Name:
        """The one name that a FAMILY:NAME, a unique NAME, or a model with only one name means."""
        with self.reading() as connection:
            return references.named(connection, reference)

    def remove_name(self, name: Name) -> None:
        """Let a name stand for nothing; its model stays known."""
        with self._store.writing() as connection:
            names.remove(connection, name)

    def names(self, family: str | None = None) -> tuple[Name, ...]:
        """All names, or a family's, in the order in which they were first given."""
        with self.reading() as connection:
            return names.names(connection, family)

    def names_of(self, model_hash: bytes) -> tuple[Name, ...]:
        """What a model is called, in every family."""
        with self.reading() as connection:
            return names.names_of(connection, [model_hash]).get(model_hash, ())

    def label(self, model_hash: bytes) -> str:
        """What to call a model: its first name, bare where that says which; else its version; else its short hash."""
        with self.reading() as connection:
            return references.labels(connection, [model_hash])[model_hash]

    def resolve(self, reference: str) -> bytes:
        """The model that a name, a version of a name, a `b3:` prefix or the path of a known place stands for."""
        with self.reading() as connection:
            return references.resolve(connection, reference)

    # Versions

    def add_version(
        self,
        reference: str,
        version: SemanticVersion,
        *,
        tags: tuple[str, ...] = (),
        untag: tuple[str, ...] = (),
        quality_score: float | None = None,
        metrics: Mapping[str, float] | None = None,
        aliases: tuple[str, ...] = (),
    ) -> ModelVersion:
        """Give a model a version, under the one name that the reference means; for one that it has, add to that.

        A version never changes its model. A new one is in development; score and metrics replace those given before.
        aliases: tags that only one version of the name has, so that they are taken from any other.
        """
        with self._store.writing() as connection:
            name = references.named(connection, reference)
            return versions.add(connection, name, version, tags, untag, quality_score, metrics, aliases)

    def version(self, reference: str) -> ModelVersion:
        """The version that NAME@VERSION, NAME@STAGE (the highest there) or NAME@TAG (the only one) stands for."""
        with self.reading() as connection:
            return references.version(connection, reference)

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """The versions of a FAMILY:NAME or a unique NAME, the highest first."""
        with self.reading() as connection:
            return versions.of_name(connection, references.named(connection, name))

    def versions_of(self, model_hash: bytes) -> tuple[ModelVersion, ...]:
        """The versions that are this very model, whatever their name, the highest first."""
        with self.reading() as connection:
            return versions.of_models(connection, [model_hash]).get(model_hash, ())

    def journal(self, name: str | None = None, limit: int | None = None) -> tuple[Entry, ...]:
        """What names came to mean, the latest first: all changes, or those of a FAMILY:NAME or a unique NAME."""
        with self.reading() as connection:
            about = None if name is None else references.named(connection, name)
            return journal.entries(connection, None if about is None else f"{about.family}:{about.name}", limit)

    # Taints

    def taint(self, model_hash: bytes, reason: str, source: str) -> None:
        """Taint a model, and with it everything that was or will be made from it."""
        with self._store.writing() as connection:
            taints.add(connection, model_hash, reason, source)

    def clear(self, model_hash: bytes, reason: str) -> int:
        """Take back what taints this very model; how many taints that were."""
        with self._store.writing() as connection:
            return taints.clear(connection, model_hash, reason)

    def taints_of(self, model_hash: bytes) -> tuple[Taint, ...]:
        """What taints a model: its own taints and those of everything that it goes back to."""
        with self.reading() as connection:
            return taints.of_model(connection, model_hash)

    def taints(self) -> tuple[tuple[Taint, int], ...]:
        """Every taint that stands, and how many models it reaches beside its own."""
        with self.reading() as connection:
            return taints.standing(connection)

    # Signatures

    def keep_signatures(self, found: Iterable[Signature], trusted: Collection[str] = ()) -> None:
        """Keep signatures that hold; steps that a trusted key (by its id) has signed are graded signed from now on."""
        with self._store.writing() as connection:
            signatures.keep(connection, found, trusted)

    def signatures_of(self, model_hash: bytes) -> tuple[Signature, ...]:
        """The signatures of a model and of the steps that gave it."""
        with self.reading() as connection:
            return signatures.of_models(connection, [model_hash]).get(model_hash, ())

    # Evaluations

    def record_evaluation(self, evaluation: Evaluation) -> None:
        """Remember what a model scored; the same model, text and settings again replace the figures."""
        with self._store.writing() as connection:
            evaluations.record(connection, evaluation)

    def evaluations(self, model_hash: bytes) -> tuple[Evaluation, ...]:
        """The scores that were recorded for a model, each with its text and metric."""
        with self.reading() as connection:
            return evaluations.of_models(connection, [model_hash]).get(model_hash, ())

    def find_evaluation(
        self, model: bytes, data_hash: bytes, settings: Mapping[str, Json], reference: bytes | None = None
    ) -> Evaluation | None:
        """A known evaluation of this model on these bytes under these settings, whatever the text was called."""
        with self.reading() as connection:
            return evaluations.find(connection, model, data_hash, settings, reference)
