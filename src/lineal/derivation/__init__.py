"""What was done to make a model: the six kinds of derivation and the full record of a step."""

from lineal.derivation.canonical import canonical_json
from lineal.derivation.hashes import HASH_LENGTH, format_hash, parse_hash
from lineal.derivation.kinds import (
    Derivation,
    Distillation,
    FineTune,
    Merge,
    Original,
    Prune,
    Quantize,
    derivation_from_json,
)
from lineal.derivation.quantization import QuantizationType
from lineal.derivation.step import DataFile, Input, Step

__all__ = [
    "HASH_LENGTH",
    "DataFile",
    "Derivation",
    "Distillation",
    "FineTune",
    "Input",
    "Merge",
    "Original",
    "Prune",
    "QuantizationType",
    "Quantize",
    "Step",
    "canonical_json",
    "derivation_from_json",
    "format_hash",
    "parse_hash",
]
