"""The tables of what stands behind steps beside their being recorded: signatures, inferences, recipes, seals.

signature    an envelope with one signature: of a model, or of the step that gave it
inference    of a step that was inferred from weights: by which method, how well it explains them, and why
seal         which rows were written, by their hashes, each entry bound to those before it (seals.py)
recipe_file  a family file or recipe, by its content, that asked for a model and got it
"""

SIGNATURES: tuple[str, ...] = (
    """
    CREATE TABLE signature (
        id {key},
        model_id {integer} NOT NULL REFERENCES model (id),
        step_id {integer} REFERENCES step (id),
        key_id {blob} NOT NULL CHECK (length(key_id) = 32),
        envelope {text} NOT NULL
    ) {rows}
    """,
    "CREATE UNIQUE INDEX signature_once ON signature (model_id, (coalesce(step_id, 0)), key_id)",
    "CREATE INDEX signature_by_step ON signature (step_id) WHERE step_id IS NOT NULL",
)

INFERENCES: tuple[str, ...] = (
    """
    CREATE TABLE inference (
        step_id {integer} NOT NULL PRIMARY KEY REFERENCES step (id),
        method {text} NOT NULL,
        score {real} NOT NULL CHECK (score BETWEEN 0 AND 1),
        p_value {real} NOT NULL CHECK (p_value BETWEEN 0 AND 1),
        reason {text} NOT NULL
    ) {rows}
    """,
)

RECIPES: tuple[str, ...] = (
    """
    CREATE TABLE recipe_file (
        model_id {integer} NOT NULL REFERENCES model (id),
        content_hash {blob} NOT NULL CHECK (length(content_hash) = 32),
        name {text} NOT NULL,
        PRIMARY KEY (model_id, content_hash)
    ) {rows_by_key}
    """,
    "CREATE INDEX recipe_file_by_hash ON recipe_file (content_hash, model_id)",
)

SEALS: tuple[str, ...] = (
    """
    CREATE TABLE seal (
        id {key},
        content {text} NOT NULL,
        entry_hash {blob} NOT NULL UNIQUE CHECK (length(entry_hash) = 32)
    ) {rows}
    """,
)
