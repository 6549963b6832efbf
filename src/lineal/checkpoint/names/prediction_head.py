"""The head of a model that predicts more than the next token (multi-token prediction), by names and config."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lineal.checkpoint.names.tensor_names import BLOCK

_NAMED = re.compile(r"(?:.+\.)?mtp\..+")
_BLOCKS, _COUNTS = "num_hidden_layers", ("num_nextn_predict_layers", "num_mtp_layers")


def prediction_head(names: Iterable[str], config: Mapping[str, Any]) -> frozenset[str]:
    """Its tensors: named so (`mtp.`), or in blocks behind the last one, where the config counts such heads."""
    blocks = config.get(_BLOCKS)
    counted = any(type(count := config.get(key)) is int and count > 0 for key in _COUNTS)
    return frozenset(
        name
        for name in names
        if _NAMED.fullmatch(name)
        or (counted and type(blocks) is int and (found := BLOCK.fullmatch(name)) and int(found["number"]) >= blocks)
    )
