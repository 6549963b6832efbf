"""The types of a GGUF's tensors, and what follows from them: chosen alike for what comes from a folder or a GGUF."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.codes.ggml import Encoding
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.engines.gguf.dimensions import Dimensions
from lineal.engines.gguf.row import Architecture
from lineal.engines.quantize.importance import encodings
from lineal.engines.quantize.remarks import chosen_types, short_rows, without_importances
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mix_table import ModelShape


@final
@dataclass(frozen=True)
class Types:
    """By the tensors' names in a GGUF. of: their types; encodings: with importances, one of a matrix or of each expert;
    remarks: what is not as the scheme says; rules: that a step is made under which gives these types."""

    of: Mapping[str, str]
    encodings: Mapping[str, tuple[Encoding, ...]]
    remarks: tuple[str, ...]
    rules: int


def chosen(
    method: GgufQuantization,
    row: Architecture,
    numbers: Dimensions,
    shapes: Mapping[str, tuple[int, ...]],
    importance: ImportanceMatrix | None,
    fitted: Mapping[str, str] | None = None,
) -> Types:
    """The method's choice for tensors of these names and shapes; where a size is to be fitted, what it begins with.

    fitted: the types that a size led to.
    """
    shape = model_shape(row, numbers, importance)
    types = method.types(shapes, shape) if fitted is None else {name: fitted[name] for name in shapes}
    encoded = encodings(types, shapes, importance)
    remarks = (*short_rows(method, types, shapes), *without_importances(types, importance), *chosen_types(fitted or {}))
    return Types(types, encoded, remarks, method.rules(shapes, shape))


def model_shape(row: Architecture, numbers: Dimensions, importance: ImportanceMatrix | None = None) -> ModelShape:
    """What llama.cpp's choice of types depends on."""
    return ModelShape(
        architecture=row.name,
        blocks=numbers.blocks,
        heads=numbers.heads,
        kv_heads=numbers.kv_heads,
        experts=numbers.experts,
        tied=numbers.tied,
        importance=importance is not None,
    )
