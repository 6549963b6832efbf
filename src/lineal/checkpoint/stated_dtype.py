"""The dtype that a config.json names, which transformers looks up in torch when it opens the folder."""

from collections.abc import Mapping
from typing import Any, cast

from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError
from lineal.shown import quoted

KEYS = ("dtype", "torch_dtype")
"""transformers 5 and 4; the first wins."""

_KNOWN = frozenset(
    {
        *("float32", "float", "float64", "double", "float16", "half", "bfloat16"),
        *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2"),
    }
)


def stated_dtype(config: Mapping[str, Any]) -> object:
    """What is written there; None where nothing is."""
    return next((config[key] for key in KEYS if config.get(key) is not None), None)


def require_dtype(checkpoint: Checkpoint) -> None:
    """Refuse a name that torch does not have: what is made of the model could not be opened either."""
    inner = checkpoint.config.get("text_config")
    for config in (checkpoint.config, cast(Mapping[str, Any], inner if isinstance(inner, dict) else {})):
        stated = stated_dtype(config)
        if stated is not None and stated not in _KNOWN:
            raise CheckpointError(
                f"{checkpoint.folder / 'config.json'}: dtype {quoted(stated)} is none that torch has; write float32, "
                "bfloat16 or float16, as the weights are stored"
            )
