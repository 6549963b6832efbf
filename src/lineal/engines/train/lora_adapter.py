"""A LoRA adapter around a model: PEFT's layers, lineal's initial values, PEFT's files."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig as PeftConfig
from peft import PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer as PeftLayer
from torch import nn
from transformers import PreTrainedModel

from lineal.checkpoint.reader import ADAPTER_CONFIG
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.hashes import format_hash
from lineal.engines.inference.linear_layers import expert_share, holds_experts, linear_layers
from lineal.engines.silence import silence
from lineal.engines.text.encoding import Remark
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.trained_weights import write_tensors
from lineal.errors import MethodError
from lineal.methods.finetune.lora import ALL_LINEAR, LoraConfig
from lineal.methods.finetune.lora_targets import LinearLayer, left_out_because, resolve_targets
from lineal.shown import quoted

_ADAPTER = "default"


def add_adapter(model: PreTrainedModel, config: LoraConfig, remark: Remark | None = None) -> PeftModel:
    """Freeze the model and put an adapter beside each target: A as drawn from the seed, B zero."""
    layers = linear_layers(model)
    targets = resolve_targets(config, layers)
    if remark is not None:
        for line in _left_as_they_are(model, config, layers):
            remark(line)
    _refuse_tied(model, targets)
    try:
        with silence():
            adapted = cast(PeftModel, get_peft_model(model, _peft_config(model, config, targets)))
    except ValueError as error:  # such as layers of a state space model whose weights another kernel reads
        raise MethodError(f"lora: PEFT cannot adapt this model: {str(error).splitlines()[0]}") from None
    modules = dict(cast(nn.Module, adapted.base_model.model).named_modules())
    changed = {path for path, module in modules.items() if isinstance(module, PeftLayer)}
    beside = sorted(changed ^ {target.path for target in targets})
    if beside:
        raise MethodError(
            f"lora: target_modules {quoted(config.target_modules)} also matches {beside[0]}, "
            "which is not a linear layer"
        )
    with torch.no_grad():
        for target in targets:
            initial = torch.from_numpy(config.initial_A(target.path, target.in_features))
            cast(Any, modules[target.path]).lora_A[_ADAPTER].weight.copy_(initial)
    return adapted


def write_adapter(adapted: PeftModel, folder: Path, base: BaseName) -> None:
    """Write adapter_model.safetensors and adapter_config.json, as PEFT names and reads them."""
    # "auto" would ask the hub whether the base's vocabulary was resized
    state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    plan = [Planned(name, "F32", tuple(tensor.shape)) for name, tensor in state.items()]
    metadata = {"base_model_hash": format_hash(base.model_hash)} if base.model_hash else {}
    write_tensors(folder, plan, lambda name: state[name].detach().cpu().numpy(), "adapter", metadata)
    kept: dict[str, Any] = adapted.peft_config[_ADAPTER].to_dict()
    fields = {key: sorted(value) if isinstance(value, set) else value for key, value in kept.items()}
    fields["inference_mode"] = True
    fields["revision"] = base.revision
    fields["base_model_name_or_path"] = base.name  # PEFT puts the local path that the base was read from
    (folder / ADAPTER_CONFIG).write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _left_as_they_are(model: PreTrainedModel, config: LoraConfig, layers: Sequence[LinearLayer]) -> Iterator[str]:
    """What one would take to be adapted and is not, a line each."""
    if (config.target_modules or ALL_LINEAR) == ALL_LINEAR:
        reasons = [(layer.path.rpartition(".")[2], left_out_because(config, layer)) for layer in layers]
        for (name, reason), count in Counter(reasons).items():
            if reason is not None:
                yield f"{name} is not adapted ({count} layers): {reason}"
    if holds_experts(model):
        yield f"experts are not adapted: they are not linear layers, and {expert_share(model):.0%} of the parameters"


def _refuse_tied(model: PreTrainedModel, targets: tuple[LinearLayer, ...]) -> None:
    embeddings = model.get_input_embeddings()
    for target in targets:
        if model.get_submodule(target.path).weight is embeddings.weight:
            raise MethodError(f"lora: {target.path} is tied to the embeddings; its update could not be merged into one")


def _peft_config(model: PreTrainedModel, config: LoraConfig, targets: tuple[LinearLayer, ...]) -> PeftConfig:
    alpha = int(config.alpha) if config.alpha == int(config.alpha) else cast(int, config.alpha)
    return PeftConfig(
        r=config.rank,
        lora_alpha=alpha,  # declared int, so a whole one is written as one; PEFT computes with any number
        lora_dropout=config.dropout,
        use_rslora=config.rank_stabilized,
        target_modules=_peft_targets(model, config, targets),
        task_type="CAUSAL_LM",
    )


def _peft_targets(model: PreTrainedModel, config: LoraConfig, targets: tuple[LinearLayer, ...]) -> list[str] | str:
    """What was asked for; all-linear as the shortest list of names that means the same to any version of PEFT.

    In a mixture of experts PEFT widens an expression to every layer of the names that it matches.
    """
    asked = config.target_modules or ALL_LINEAR
    paths = {target.path for target in targets}
    if not isinstance(asked, str):
        return list(asked)
    if asked != ALL_LINEAR:
        return sorted(paths) if holds_experts(model) else asked
    names = sorted({path.rpartition(".")[2] for path in paths})
    meant = {path for path, _ in model.named_modules() if path.rpartition(".")[2] in names}
    return names if meant == paths else sorted(paths)
