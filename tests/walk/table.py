"""The outcomes of the walk, as they are kept and as docs/architectures.md shows them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

OUTCOMES = Path(__file__).parent / "outcomes.json"
PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"
BEGINS, ENDS = "<!-- table -->\n", "<!-- end of table -->\n"
"""What the table stands between on the page."""
KINDS = ("passthrough", "slices", "student", "prune 0", "adapter")
_WORDS = {
    r"follows a block's place": "place",
    r"depend on their place is not known": "unknown",
    r"is in no block": "outside",
    r"layers cannot be told apart": "count",
    r"one stack of blocks is needed|no tensors of the block": "stack",
    r"what its tensors do is not known": "roles",
    r"which its base does not have|is not supported": "names",
}
"""The words of a refusal -> the word that the page has for it."""


def kept() -> Mapping[str, Mapping[str, str]]:
    """Architecture -> kind of derivation -> `equal` or a refusal."""
    return json.loads(OUTCOMES.read_text())["walked"]


def not_walked() -> Mapping[str, str]:
    """Architecture -> why it has no row."""
    return json.loads(OUTCOMES.read_text())["not walked"]


def short(outcome: str | None) -> str:
    if outcome is None:
        return "-"
    if outcome == "equal":
        return "yes"
    return next(word for pattern, word in _WORDS.items() if re.search(pattern, outcome))


def table() -> str:
    """One row an architecture, and a line with those that were not walked."""
    rows = [
        f"| {name} | " + " | ".join(short(found.get(kind)) for kind in KINDS) + " |" for name, found in kept().items()
    ]
    missing = "\n".join(f"| {name} | {why} |" for name, why in not_walked().items())
    heads = ["| architecture | " + " | ".join(KINDS) + " |", "|---" * (len(KINDS) + 1) + "|"]
    return "\n".join([*heads, *rows, "", "| not walked | why |", "|---|---|", missing]) + "\n"
