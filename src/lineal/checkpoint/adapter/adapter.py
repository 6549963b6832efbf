"""A PEFT LoRA adapter: which base weight each pair of its matrices changes, and by what scale."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from lineal.checkpoint.adapter.strength import Strengths
from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.reader import ADAPTER_CONFIG, Checkpoint
from lineal.errors import CheckpointError
from lineal.shown import quoted

_PREFIX = "base_model.model."
_KEY = re.compile(re.escape(_PREFIX) + r"(?P<module>.+)\.lora_(?P<side>[AB])\.weight")

_UNSUPPORTED: Mapping[str, Any] = {
    "use_dora": False,
    "fan_in_fan_out": False,
    "bias": "none",
    "lora_bias": False,
    "trainable_token_indices": None,
    "target_parameters": None,
    "layer_replication": None,
    "alora_invocation_tokens": None,
    "use_qalora": False,
    "use_bdlora": None,
    "arrow_config": None,
    "kasa_config": None,
}
"""Options whose effect on the weights is not B @ A alone, and the value that means absent."""

_CHANGED_BASE = ("pissa", "corda", "olora", "loftq", "lora_ga")
"""Initializations that subtract B @ A from the base: the adapter then belongs to a base that is stored nowhere."""


_WAY_OUT = (
    "only updates of linear layers can be taken: make the adapter part of its base with PEFT's merge_and_unload, and "
    "use the model that this gives"
)


@final
@dataclass(frozen=True)
class LowRankUpdate:
    """scale * B @ A on one weight; a: [rank, in], b: [out, rank]."""

    a: TensorSpec
    b: TensorSpec
    scale: float


def low_rank_updates(adapter: Checkpoint, base: Mapping[str, TensorSpec]) -> dict[str, LowRankUpdate]:
    """The base's weight name -> update. A key that lands nowhere, or does not fit its weight, is an error."""
    refuse_other_parts(adapter)
    _check_config(adapter, adapter.config)
    strengths = Strengths(adapter)
    return {f"{module}.weight": _update(adapter, strengths, module, pair, base) for module, pair in pairs_of(adapter)}


def pairs_of(adapter: Checkpoint) -> Iterable[tuple[str, Mapping[str, TensorSpec]]]:
    """Each module that the adapter changes, and its matrices A and B; to be asked after `refuse_other_parts`."""
    pairs: dict[str, dict[str, TensorSpec]] = {}
    for key, spec in adapter.items():
        match = cast(re.Match[str], _KEY.fullmatch(key))
        pairs.setdefault(match["module"], {})[match["side"]] = spec
    return pairs.items()


def refuse_other_parts(adapter: Checkpoint) -> None:
    """Refuse what is more than updates of linear layers: embeddings, modules trained whole."""
    whole = adapter.config.get("modules_to_save") or []
    if not isinstance(whole, list) or not all(isinstance(name, str) for name in cast(list[object], whole)):
        raise CheckpointError(
            f"{adapter.folder / ADAPTER_CONFIG}: modules_to_save must be a list of names, got {quoted(whole)}"
        )
    if whole:
        raise CheckpointError(
            f"{adapter.folder}: trains {', '.join(cast(list[str], whole))} whole (modules_to_save); {_WAY_OUT}"
        )
    for key in adapter:
        if not _KEY.fullmatch(key):
            module = key.removeprefix(_PREFIX).removesuffix(".weight").removesuffix(".base_layer")
            module = module.partition(".lora_")[0]
            raise CheckpointError(f"{adapter.folder}: adapts {module}, which is not a linear layer ({key}); {_WAY_OUT}")


def _check_config(adapter: Checkpoint, config: Mapping[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        raise CheckpointError(
            f"{adapter.folder}: a {config.get('peft_type')} adapter; only LORA can be part of weights"
        )
    for option, absent in _UNSUPPORTED.items():
        if config.get(option, absent) not in (absent, None, [], {}):
            raise CheckpointError(
                f"{adapter.folder / ADAPTER_CONFIG}: {option} = {quoted(config[option])} is not supported"
            )
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower().startswith(_CHANGED_BASE):
        raise CheckpointError(
            f"{adapter.folder / ADAPTER_CONFIG}: init_lora_weights = {quoted(start)} changed "
            "the base it was trained on; convert it with PEFT's path_initial_model_for_weight_conversion"
        )


def _update(
    adapter: Checkpoint,
    strengths: Strengths,
    module: str,
    pair: Mapping[str, TensorSpec],
    base: Mapping[str, TensorSpec],
) -> LowRankUpdate:
    weight = base.get(f"{module}.weight")
    if weight is None:
        raise CheckpointError(f"{adapter.folder}: adapts {quoted(module)}, which its base does not have")
    if len(pair) != 2:
        raise CheckpointError(f"{adapter.folder}: {quoted(module)} has only lora_{min(pair)}")
    a, b = pair["A"], pair["B"]
    fits = len(a.shape) == len(b.shape) == len(weight.shape) == 2 and a.shape[0] == b.shape[1]
    if not fits or (b.shape[0], a.shape[1]) != weight.shape or weight.dtype not in FLOATS:
        shapes = f"A {list(a.shape)}, B {list(b.shape)}"
        raise CheckpointError(
            f"{adapter.folder}: {quoted(module)}: {shapes} do not fit the weight {weight.dtype} {list(weight.shape)}"
        )
    return LowRankUpdate(a, b, strengths.of(module, a.shape[0]).scale)
