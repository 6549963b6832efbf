"""A PEFT LoRA adapter: which base weights each pair of its matrices changes, and by what scale."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

from lineal.checkpoint.adapter.memory import InMemory, Weight
from lineal.checkpoint.adapter.part import Part, is_turned_by, ways_to_fit
from lineal.checkpoint.adapter.strength import Strengths
from lineal.checkpoint.adapter.targets import Target, targets_of
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
    """scale * B @ A on one weight; a: [rank, in], b: [out, rank].

    part: of matrices that change several weights, or several experts in one, what this one takes.
    """

    a: TensorSpec
    b: TensorSpec
    scale: float
    part: Part | None = None


def low_rank_updates(
    adapter: Checkpoint, base: Mapping[str, TensorSpec], config: Mapping[str, Any]
) -> dict[str, LowRankUpdate]:
    """The base's weight name -> update. A key that lands nowhere, or does not fit its weight, is an error.

    base: by the names that its architecture is published under, or else is stored under; config: the base's.
    """
    refuse_other_parts(adapter)
    _check_config(adapter, adapter.config)
    strengths, memory = Strengths(adapter), InMemory(base, config, f"the base of {adapter.folder}")
    targets = [(one, _weight(adapter, one, memory)) for one in targets_of(adapter, pairs_of(adapter), memory)]
    turned = _turned(adapter, targets)
    updates: dict[str, LowRankUpdate] = {}
    for target, weight in targets:
        a, b = target.pair["A"], target.pair["B"]
        experts = weight.shape[0] if len(weight.shape) == 3 else 1
        scale = strengths.of(target.called, a.shape[0] // experts).scale
        for name, part in weight.split(turned[target.module]):
            if name in updates:
                raise CheckpointError(f"{adapter.folder}: {quoted(target.module)} changes {quoted(name)} a second time")
            updates[name] = LowRankUpdate(a, b, scale, None if weight.is_whole else part)
    return updates


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


def _weight(adapter: Checkpoint, target: Target, memory: InMemory) -> Weight:
    """The weight that a pair of matrices is on, which they fit."""
    module, pair = target.module, target.pair
    weight = memory.weight(target.weight)
    if weight is None:
        raise CheckpointError(f"{adapter.folder}: adapts {quoted(module)}, which its base does not have")
    if len(pair) != 2:
        raise CheckpointError(f"{adapter.folder}: {quoted(module)} has only lora_{min(pair)}")
    a, b = pair["A"], pair["B"]
    possible = len(weight.shape) == 2 or target.is_parameter
    if not possible or not ways_to_fit(weight.shape, a.shape, b.shape) or weight.dtype not in FLOATS:
        shapes = f"A {list(a.shape)}, B {list(b.shape)}"
        whose = f"{quoted(target.called)}: " if target.is_parameter else ""
        raise CheckpointError(
            f"{adapter.folder}: {quoted(module)}: {shapes} do not fit the weight {whose}"
            f"{weight.dtype} {list(weight.shape)}"
        )
    if len(weight.shape) == 3 and not memory.is_known:
        kind = quoted(str(memory.model_type))
        raise CheckpointError(
            f"{adapter.folder}: adapts {quoted(target.weight)} {list(weight.shape)}; how its experts lie in memory is "
            f"not known of model_type {kind}"
        )
    if weight.reordered:
        raise CheckpointError(
            f"{adapter.folder}: adapts {quoted(target.weight)}, which is published in another order; {_WAY_OUT}"
        )
    return weight


def _turned(adapter: Checkpoint, targets: Sequence[tuple[Target, Weight]]) -> Mapping[str, bool]:
    """By module, whether its matrices are turned: as they fit; where they fit both ways, as others of the adapter are.

    Where nothing else tells it is the version of PEFT that wrote them, which knows no other weights of experts than
    those whose rows are outputs.
    """
    fits = {
        target.module: ways_to_fit(weight.shape, target.pair["A"].shape, target.pair["B"].shape)
        for target, weight in targets
    }
    of_experts = {target.module for target, weight in targets if len(weight.shape) == 3 and weight.shape[0] > 1}
    told = {way for module in of_experts if len(fits[module]) == 1 for way in fits[module]}
    found: dict[str, bool] = {}
    for target, weight in targets:
        ways = fits[target.module]
        if len(ways) == 1:
            (found[target.module],) = ways
            continue
        converted = weight.parts[0].name != weight.name
        way = next(iter(told)) if len(told) == 1 else is_turned_by(adapter.config.get("peft_version"))
        if way is None or not (converted or told):
            shape = f"{quoted(target.weight)} {list(weight.shape)}"
            raise CheckpointError(
                f"{adapter.folder / ADAPTER_CONFIG}: what adapts {shape} fits it in both of PEFT's layouts; "
                "peft_version is needed to tell in which it is"
            )
        found[target.module] = way
    return found
