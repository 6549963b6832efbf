"""The tables of what is judged: licences, policies, and data that must not be used. One migration.

model_licence  what a model's licence is: as it was found beside it, as people give it, or as they override it
data_licence   what people say of a data file's, by its content
policy         what the versions of a name, or without one of a whole family, must meet to go on to a stage
data_taint     a data file that must not be used, by its content, why and who says so, until it is cleared
"""

JUDGEMENT: tuple[str, ...] = (
    """
    CREATE TABLE model_licence (
        model_id {integer} NOT NULL REFERENCES model (id),
        basis {text} NOT NULL CHECK (basis IN ('found', 'given', 'override')),
        licence {text} NOT NULL,
        source {text} NOT NULL,
        PRIMARY KEY (model_id, basis)
    ) {rows_by_key}
    """,
    """
    CREATE TABLE data_licence (
        data_hash {blob} NOT NULL PRIMARY KEY CHECK (length(data_hash) = 32),
        licence {text} NOT NULL
    ) {rows_by_key}
    """,
    """
    CREATE TABLE policy (
        family {text} NOT NULL,
        name {text} NOT NULL,
        stage {text} NOT NULL CHECK (stage IN ('staging', 'production')),
        rules {text} NOT NULL,
        PRIMARY KEY (family, name, stage)
    ) {rows_by_key}
    """,
    """
    CREATE TABLE data_taint (
        id {key},
        data_hash {blob} NOT NULL CHECK (length(data_hash) = 32),
        reason {text} NOT NULL,
        source {text} NOT NULL,
        created {real} NOT NULL,
        cleared {real},
        cleared_because {text},
        CHECK ((cleared IS NULL) = (cleared_because IS NULL))
    ) {rows}
    """,
    "CREATE INDEX data_taint_by_hash ON data_taint (data_hash) WHERE cleared IS NULL",
)
