"""A folder of quantized weights: its tensors, what its config says of how they are stored, and how faults are told."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.reader import Checkpoint
from lineal.checkpoint.stated_dtype import stated_dtype
from lineal.errors import CheckpointError
from lineal.shown import quoted

_DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
_CACHE = re.compile(r".+\.(?:[kvq]_scale|[kv]_proj\.output_scale|[kvq]_zero_point)")
_ACTIVATIONS = (
    *("input_scale", "input_zero_point", "input_global_scale", "activation_scale", "qscale_act", "input_scale_ub"),
    *("output_scale", "output_zero_point"),
)
_SETTINGS = ("quantization_config", "compression_config")
"""The second is what older folders of compressed-tensors call it."""


@final
@dataclass(frozen=True)
class QuantizedFolder:
    """label: the model, for errors; settings: its quantization_config."""

    checkpoint: Checkpoint
    label: str
    settings: Mapping[str, Any]

    @property
    def method(self) -> str:
        """What its quantization_config calls the format; older folders of compressed-tensors do not."""
        method = self.settings.get("quant_method")
        return "compressed-tensors" if method is None and "config_groups" in self.settings else str(method)

    @property
    def dtype(self) -> str:
        """What its weights are once they are decoded: the config's dtype, bfloat16 where it names none that stores."""
        return _DTYPES.get(str(stated_dtype(self.checkpoint.config)), "BF16")

    def ending(self, suffix: str) -> Iterator[tuple[str, TensorSpec]]:
        """The stored tensors whose names end so, by what stands before it."""
        for name, spec in self.checkpoint.items():
            if name.endswith(suffix):
                yield name.removesuffix(suffix), spec

    def required(self, name: str, of: str) -> TensorSpec:
        """A tensor without which the one called `of` means nothing."""
        found = self.checkpoint.get(name)
        if found is None:
            raise self.fault(f"{quoted(of)} has no {quoted(name)}")
        return found

    def misfit(self, spec: TensorSpec, wanted: str) -> CheckpointError:
        """A tensor that is not as its scheme has it."""
        return self.fault(f"{quoted(spec.name)} is {spec.dtype} {list(spec.shape)}; {wanted}")

    def fault(self, what: str) -> CheckpointError:
        return CheckpointError(f"{self.label}: {what}")


def settings_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The quantization_config of a config, or of the language model inside; empty where there is none."""
    inner = config.get("text_config")
    configs = (config, *([cast(Mapping[str, Any], inner)] if isinstance(inner, Mapping) else []))
    found = (one.get(key) for one in configs for key in _SETTINGS)
    return next((cast(Mapping[str, Any], one) for one in found if isinstance(one, Mapping) and one), {})


def is_quantized(checkpoint: Checkpoint) -> bool:
    """Whether a folder's config says that weights are stored as codes."""
    return checkpoint.form == "full" and bool(settings_of(checkpoint.config))


def without_settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config of a model in full weights: what it says of codes is gone, of the language model inside, too."""
    kept = {key: value for key, value in config.items() if key not in _SETTINGS}
    inner = kept.get("text_config")
    return {**kept, "text_config": without_settings(inner)} if isinstance(inner, Mapping) else kept


def cache_scales(checkpoint: Checkpoint) -> frozenset[str]:
    """Scales of the key and value cache: no weights, and without meaning once the quantization_config is gone."""
    return frozenset(name for name in checkpoint if _CACHE.fullmatch(name))


def activation_scales(weight: str) -> frozenset[str]:
    """What may stand beside a weight for the activations of its layer: no part of the weights."""
    module = weight.removesuffix("weight")
    return frozenset(f"{module}{kind}" for kind in _ACTIVATIONS)
