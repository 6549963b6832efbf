"""The same weights in another layout: the hash of tensors as their architecture is published, and those tensors.

model_published_tensor  every tensor as it is published, of a model that is stored otherwise; what is stored as
                        published has none, since these are its own
"""

LAYOUTS: tuple[str, ...] = (
    "ALTER TABLE model ADD COLUMN layout_hash {blob} CHECK (length(layout_hash) = 32)",
    "CREATE INDEX model_by_layout ON model (layout_hash) WHERE layout_hash IS NOT NULL",
    """
    CREATE TABLE model_published_tensor (
        model_id {integer} NOT NULL REFERENCES model (id),
        tensor_id {integer} NOT NULL REFERENCES tensor (id),
        PRIMARY KEY (model_id, tensor_id)
    ) {rows_by_key}
    """,
    "CREATE INDEX model_published_tensor_by_tensor ON model_published_tensor (tensor_id, model_id)",
)
