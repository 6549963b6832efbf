"""Which models predict the next token from those before it: only they can be evaluated, continued and trained."""

from collections.abc import Mapping
from typing import Any

from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

_ENCODERS = frozenset(
    (MODEL_FOR_MASKED_LM_MAPPING_NAMES.keys() | {"bert-generation"})
    & MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys() - MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES.keys()
)
"""Which transformers opens as causal language models all the same; every token would then see itself."""


def no_next_token(config: Mapping[str, Any]) -> str | None:
    """Why a model of this configuration is no causal language model; None if it is one."""
    kind = config.get("model_type")
    if kind in _ENCODERS and not (config.get("is_decoder") or config.get("causal")):
        what = f"a {kind} without is_decoder in its config is an encoder, and no causal language model"
    elif kind in CONFIG_MAPPING and kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        what = f"transformers has no causal language model of the architecture {kind}"
    else:
        return None
    return f"{what}; evaluation, generation and training need one"
