"""The other layouts that architectures are met in, by model_type."""

from collections.abc import Mapping, Sequence

from lineal.checkpoint.layouts.language_models import (
    FUSED_LANGUAGE_MODELS,
    PREFIXED_LANGUAGE_MODELS,
    REWRITTEN_LANGUAGE_MODELS,
)
from lineal.checkpoint.layouts.multimodal import FUSED_MULTIMODAL
from lineal.checkpoint.layouts.rules import Rule

TABLE_VERSION = 1
"""Part of a layout hash: counted up where a row that was there comes to say something else."""

FUSED = "fused"
"""The layout that transformers 5 keeps in memory, and writes with `save_original_format=False`."""

PREFIXED = "prefixed"
"""A language model under the names that it has inside of a larger one."""

REWRITTEN = "rewritten"
"""What transformers 5 writes for the published layout, where its way back is another than its way in."""

_BY_NAME: Mapping[str, Mapping[str, Sequence[Rule]]] = {
    FUSED: {**FUSED_LANGUAGE_MODELS, **FUSED_MULTIMODAL},
    PREFIXED: PREFIXED_LANGUAGE_MODELS,
    REWRITTEN: REWRITTEN_LANGUAGE_MODELS,
}
LAYOUTS: Mapping[str, Mapping[str, Sequence[Rule]]] = {
    model_type: {name: rules[model_type] for name, rules in _BY_NAME.items() if model_type in rules}
    for model_type in sorted({model_type for rules in _BY_NAME.values() for model_type in rules})
}
"""The other layouts of each architecture: by name, how what is stored in one makes the published tensors."""

LAYOUT_NAMES = tuple(dict.fromkeys(name for layouts in LAYOUTS.values() for name in layouts))
