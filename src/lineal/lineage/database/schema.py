"""The tables, as numbered migrations; what has been applied is written in the database itself.

    model         what was hashed, or only referred to (unresolved: weights_hash is NULL)
    tensor        a leaf: data and its spec (name, dtype, shape), stored once however many models hold it
    package_file  a config, tokenizer, ... by path and content hash, likewise
    step          one derivation that gave one child; its inputs and data files in order
    step_input    an input and, unless the step merely reproduces, the edge to the child: child_id is the step's child
                  again, so that both indexes answer graph questions without looking anything else up
    name          FAMILY:NAME of a model         location    the folder or file where a model lies
    evaluation    what a model scored            environment where steps ran, each stored once
    version       a semantic version of a name, of one model for good; with its tags and metrics
    taint         a model that must not be used, why and who says so, until it is cleared
    journal       every change of a name or version since the journal began, each bound to those before it by a hash

The tables of evidence stand in evidence_schema.py, those of what is judged of models and data in judgement_schema.py,
those of published tensors in layout_schema.py, that of quantizations' reports in report_schema.py.

Words in braces are the database's (sqlite.py, postgres.py). A migration that has been released is never edited: add
another. Where rows come by the thousand a check says OR: for IN with three values SQLite makes a table, each time.
"""

from collections.abc import Iterator

from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import IllFormedRow
from lineal.lineage.database.evidence_schema import INFERENCES, RECIPES, SEALS, SIGNATURES
from lineal.lineage.database.judgement_schema import JUDGEMENT
from lineal.lineage.database.layout_schema import LAYOUTS
from lineal.lineage.database.report_schema import REPORTS

MIGRATIONS_TABLE = "lineal_migration"

_MODELS = (
    """
    CREATE TABLE model (
        id {key},
        model_hash {blob} NOT NULL UNIQUE CHECK (length(model_hash) = 32),
        weights_hash {blob} CHECK (length(weights_hash) = 32),
        form {text} CHECK (form = 'full' OR form = 'adapter' OR form = 'gguf'),
        licence {text},
        parameters {integer},
        tensor_bytes {integer},
        CHECK ((weights_hash IS NULL) = (form IS NULL))
    ) {rows}
    """,
    "CREATE INDEX model_by_weights ON model (weights_hash) WHERE weights_hash IS NOT NULL",
    """
    CREATE TABLE tensor_spec (
        id {key},
        name {text} NOT NULL,
        dtype {text} NOT NULL,
        shape {text} NOT NULL,
        byte_length {integer} NOT NULL,
        UNIQUE (name, dtype, shape, byte_length)
    ) {rows}
    """,
    """
    CREATE TABLE tensor (
        id {key},
        data_hash {blob} NOT NULL CHECK (length(data_hash) = 32),
        spec_id {integer} NOT NULL REFERENCES tensor_spec (id),
        UNIQUE (data_hash, spec_id)
    ) {rows}
    """,
    """
    CREATE TABLE model_tensor (
        model_id {integer} NOT NULL REFERENCES model (id),
        tensor_id {integer} NOT NULL REFERENCES tensor (id),
        PRIMARY KEY (model_id, tensor_id)
    ) {rows_by_key}
    """,
    "CREATE INDEX model_tensor_by_tensor ON model_tensor (tensor_id, model_id)",
    """
    CREATE TABLE package_file (
        id {key},
        path {text} NOT NULL,
        content_hash {blob} NOT NULL CHECK (length(content_hash) = 32),
        UNIQUE (content_hash, path)
    ) {rows}
    """,
    """
    CREATE TABLE model_package (
        model_id {integer} NOT NULL REFERENCES model (id),
        package_file_id {integer} NOT NULL REFERENCES package_file (id),
        PRIMARY KEY (model_id, package_file_id)
    ) {rows_by_key}
    """,
    """
    CREATE TABLE location (
        path {text} NOT NULL PRIMARY KEY,
        model_id {integer} NOT NULL REFERENCES model (id)
    ) {rows_by_key}
    """,
    "CREATE INDEX location_by_model ON location (model_id)",
    """
    CREATE TABLE name (
        id {key},
        family {text} NOT NULL,
        name {text} NOT NULL,
        model_id {integer} NOT NULL REFERENCES model (id),
        UNIQUE (family, name)
    ) {rows}
    """,
    "CREATE INDEX name_by_name ON name (name)",
    "CREATE INDEX name_by_model ON name (model_id)",
)

_STEPS = (
    """
    CREATE TABLE environment (
        id {key},
        content {text} NOT NULL UNIQUE
    ) {rows}
    """,
    """
    CREATE TABLE data_file (
        id {key},
        name {text} NOT NULL,
        data_hash {blob} NOT NULL CHECK (length(data_hash) = 32),
        UNIQUE (data_hash, name)
    ) {rows}
    """,
    """
    CREATE TABLE step (
        id {key},
        derivation_id {blob} NOT NULL CHECK (length(derivation_id) = 32),
        child_id {integer} NOT NULL REFERENCES model (id),
        type {text} NOT NULL,
        method {text} NOT NULL,
        version {integer} NOT NULL,
        options {text} NOT NULL,
        evidence {text} NOT NULL,
        share {real},
        environment_id {integer} NOT NULL REFERENCES environment (id),
        seconds {real} NOT NULL,
        created {real} NOT NULL,
        reproduces {integer} NOT NULL,
        UNIQUE (derivation_id, child_id)
    ) {rows}
    """,
    "CREATE INDEX step_by_child ON step (child_id)",
    """
    CREATE TABLE step_input (
        step_id {integer} NOT NULL REFERENCES step (id),
        position {integer} NOT NULL,
        role {text} NOT NULL,
        model_id {integer} NOT NULL REFERENCES model (id),
        child_id {integer} REFERENCES model (id),
        PRIMARY KEY (step_id, position)
    ) {rows_by_key}
    """,
    "CREATE INDEX edge_down ON step_input (model_id, child_id)",
    "CREATE INDEX edge_up ON step_input (child_id, model_id)",
    """
    CREATE TABLE step_data (
        step_id {integer} NOT NULL REFERENCES step (id),
        position {integer} NOT NULL,
        data_file_id {integer} NOT NULL REFERENCES data_file (id),
        PRIMARY KEY (step_id, position)
    ) {rows_by_key}
    """,
    "CREATE INDEX step_data_by_file ON step_data (data_file_id, step_id)",
)

_EVALUATIONS = (
    """
    CREATE TABLE evaluation (
        id {key},
        model_id {integer} NOT NULL REFERENCES model (id),
        reference_id {integer} REFERENCES model (id),
        text {text} NOT NULL,
        data_hash {blob} NOT NULL CHECK (length(data_hash) = 32),
        settings {text} NOT NULL,
        perplexity {real},
        bits_per_byte {real},
        kl {real},
        tokens {integer} NOT NULL,
        text_bytes {integer} NOT NULL
    ) {rows}
    """,
    """
    CREATE UNIQUE INDEX evaluation_once
    ON evaluation (model_id, data_hash, settings, text, (coalesce(reference_id, 0)))
    """,
)

_VERSIONS = (
    """
    CREATE TABLE version (
        id {key},
        name_id {integer} NOT NULL REFERENCES name (id),
        semver {text} NOT NULL,
        model_id {integer} NOT NULL REFERENCES model (id),
        stage {text} NOT NULL CHECK (stage IN ('development', 'staging', 'production', 'archived')),
        quality_score {real} CHECK (quality_score BETWEEN 0 AND 100),
        created {real} NOT NULL,
        UNIQUE (name_id, semver)
    ) {rows}
    """,
    "CREATE INDEX version_by_model ON version (model_id)",
    """
    CREATE TABLE version_tag (
        version_id {integer} NOT NULL REFERENCES version (id),
        tag {text} NOT NULL,
        PRIMARY KEY (version_id, tag)
    ) {rows_by_key}
    """,
    """
    CREATE TABLE version_metric (
        version_id {integer} NOT NULL REFERENCES version (id),
        metric {text} NOT NULL,
        figure {real} NOT NULL,
        PRIMARY KEY (version_id, metric)
    ) {rows_by_key}
    """,
)

_JOURNAL = (
    """
    CREATE TABLE journal (
        id {key},
        content {text} NOT NULL,
        entry_hash {blob} NOT NULL UNIQUE CHECK (length(entry_hash) = 32)
    ) {rows}
    """,
)

_TAINTS = (
    """
    CREATE TABLE taint (
        id {key},
        model_id {integer} NOT NULL REFERENCES model (id),
        reason {text} NOT NULL,
        source {text} NOT NULL,
        created {real} NOT NULL,
        cleared {real},
        cleared_because {text},
        CHECK ((cleared IS NULL) = (cleared_because IS NULL))
    ) {rows}
    """,
    "CREATE INDEX taint_by_model ON taint (model_id) WHERE cleared IS NULL",
)

_RULES = ("ALTER TABLE step ADD COLUMN rules {integer} NOT NULL DEFAULT 1",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (*_MODELS, *_STEPS, *_EVALUATIONS),
    _VERSIONS,
    _JOURNAL,
    _TAINTS,
    SIGNATURES,
    JUDGEMENT,
    INFERENCES,
    RECIPES,
    _RULES,
    SEALS,
    LAYOUTS,
    REPORTS,
)

SEALED = 10
"""The migration after which what stands is sealed."""

FIRST = f"CREATE TABLE {MIGRATIONS_TABLE} (version {{integer}} NOT NULL PRIMARY KEY) {{rows}}"
"""What comes before the first migration."""


def applied_version(connection: Connection) -> int:
    """The number of the last migration applied; zero in an empty database."""
    if not connection.dialect.has_table(connection, MIGRATIONS_TABLE):
        return 0
    version = connection.execute(f"SELECT max(version) FROM {MIGRATIONS_TABLE}").scalar_one() or 0
    if type(version) is not int:
        raise IllFormedRow(f"{MIGRATIONS_TABLE} holds {ascii(version)[:60]}, where a schema's number is needed")
    return version


def faults(connection: Connection) -> Iterator[str]:
    """Where the migrations noted are not each of them once."""
    noted = list(connection.execute(f"SELECT version FROM {MIGRATIONS_TABLE} ORDER BY 1").scalars())
    if noted != list(range(1, len(MIGRATIONS) + 1)):
        yield f"{MIGRATIONS_TABLE}: the migrations applied are not 1 to {len(MIGRATIONS)}"


def apply(connection: Connection, version: int, statements: tuple[str, ...]) -> None:
    """Apply one migration inside the caller's transaction."""
    if version == 1:
        _run(connection, FIRST)
    for statement in statements:
        _run(connection, statement)
    _ = connection.execute(f"INSERT INTO {MIGRATIONS_TABLE} (version) VALUES (:version)", {"version": version})


def _run(connection: Connection, statement: str) -> None:
    _ = connection.execute_raw(statement.format_map(connection.dialect.words))
