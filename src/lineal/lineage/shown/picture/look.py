"""How the picture looks: colours of the kinds, sizes of letters, and text cut to fit."""

from collections.abc import Mapping
from html import escape
from typing import Literal

from lineal.derivation.step import Kind
from lineal.lineage.records.evidence import Evidence
from lineal.shown import printable

Strand = Literal["weights", "adapter", "teacher"]
"""What an edge carries: a model's weights, an adapter's update, or only what a teacher says."""

ACCENTS: Mapping[Kind | None, str] = {
    "original": "#475569",
    "fine-tune": "#0d9488",
    "distillation": "#7c3aed",
    "merge": "#e8710a",
    "quantize": "#2563eb",
    "prune": "#db2777",
    None: "#94a3b8",
}
"""None: a model of which nobody told how it was made."""

DASHES: Mapping[Strand, str] = {"adapter": "1 5", "teacher": "7 5"}

INK, SOFT_INK, FAINT_INK = "#0f172a", "#475569", "#64748b"
GOOD, DOUBTFUL, BAD = "#15803d", "#b45309", "#b91c1c"

ATTESTED: Mapping[Evidence, tuple[str, str]] = {
    Evidence.REPLAYED: ("\u2713 replayed", GOOD),
    Evidence.SIGNED: ("\u2713 signed", GOOD),
    Evidence.INFERRED: ("inferred", DOUBTFUL),
    Evidence.CLAIMED: ("claimed", DOUBTFUL),
    Evidence.CONTRADICTED: ("\u2717 contradicted", BAD),
}
"""What a card says of the evidence; nothing of what lineal simply ran and recorded."""

FONTS = (
    "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, "
    "'DejaVu Sans', sans-serif"
)

STYLE = f"""
    text {{ font-family: {FONTS}; font-variant-numeric: tabular-nums; }}
    .name {{ font-size: 15px; font-weight: 600; fill: {INK}; }}
    .kind {{ font-size: 10.5px; font-weight: 600; }}
    .made {{ font-size: 12.5px; fill: {SOFT_INK}; }}
    .size {{ font-size: 11.5px; fill: {FAINT_INK}; }}
    .text {{ font-size: 11.5px; fill: {FAINT_INK}; }}
    .figure {{ font-size: 12.5px; font-weight: 600; fill: {INK}; }}
    .best {{ fill: {GOOD}; }}
    .edge {{ fill: none; stroke-width: 1.8; stroke-linecap: round; }}
"""

BOLD = 1.1
"""How much wider bold letters are."""

_NARROW, _WIDE = frozenset("fijlrtI.,:;|!'()[]- "), frozenset("mwMW@%&")


def text_width(text: str, font_size: float) -> float:
    """A little more than the text takes in any of the fonts."""
    return font_size * sum(_letter_width(letter) for letter in text)


def shortened(text: str, font_size: float, width: float) -> str:
    """The text, with an ellipsis at its end where it does not fit the width."""
    if text_width(text, font_size) <= width:
        return text
    kept = text
    while kept and text_width(kept + "\u2026", font_size) > width:
        kept = kept[:-1]
    return kept.rstrip(" .:-_") + "\u2026"


def escaped(text: str) -> str:
    """One line of text as XML may hold it: mark-up and what is not printable escaped."""
    return escape(printable(text))


def _letter_width(letter: str) -> float:
    if letter in _NARROW:
        return 0.36
    if letter in _WIDE:
        return 0.95
    if letter.isupper():
        return 0.74
    return 0.62 if letter.isascii() else 1.0
