"""The type of every tensor of a GGUF, as the method chooses it for a model of these numbers."""

from collections.abc import Mapping

from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.engines.gguf.architectures import Architecture
from lineal.engines.gguf.llama_keys import Llama
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mix_table import ModelShape


def model_shape(
    architecture: Architecture, numbers: Llama, importance: ImportanceMatrix | None = None, *, tied: bool
) -> ModelShape:
    """What llama.cpp's choice of types depends on."""
    return ModelShape(
        architecture=architecture.name,
        blocks=numbers.blocks,
        heads=numbers.heads,
        kv_heads=numbers.kv_heads,
        tied=tied,
        importance=importance is not None,
    )


def rules_of(method: GgufQuantization, model_rules: int, shapes: Mapping[str, tuple[int, ...]], of: ModelShape) -> int:
    """The rules that a step is made under: those of its parent, or later ones where the types are not as they were."""
    return max(model_rules, method.rules(shapes, of))
