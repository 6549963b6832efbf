"""The table of what quantizations cost: of a step, the figures of every tensor that it stored.

quantization_report  rounding: a tensor's name -> the figures of its rounding, as JSON
"""

REPORTS: tuple[str, ...] = (
    """
    CREATE TABLE quantization_report (
        step_id {integer} NOT NULL PRIMARY KEY REFERENCES step (id),
        rounding {text} NOT NULL
    ) {rows}
    """,
)
