"""The rules of a training: 2 where a text holds what the tokenizer puts around it, which then was read twice."""

from collections.abc import Sequence
from pathlib import Path

from lineal.engines.text import read_documents
from lineal.engines.text_borders import holds_borders, possible_borders
from lineal.family.making import Inputs


def training_rules(inputs: Inputs, data: Sequence[Path]) -> int:
    """The data is read only where the tokenizer may add something at all."""
    parent = next((placed for role, placed in inputs if role != "teacher"), None)
    if parent is None:
        return 1
    borders = possible_borders(parent.place, parent.base.folder if parent.base else None)
    if not borders:
        return 1
    return 2 if any(holds_borders(text, borders) for path in data for text in read_documents(path)) else 1
