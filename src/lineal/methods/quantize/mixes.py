"""Which ggml type each tensor of a GGUF gets: llama.cpp's choice, by scheme, name, shape and place."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from lineal.derivation.quantization import QuantizationType
from lineal.errors import MethodError
from lineal.expressions import Expressions
from lineal.methods.quantize.mix_table import (
    KEPT,
    KEPT_NAMES,
    MIXED_OTHERWISE,
    MIXES,
    MORE_OF_70B,
    SHORTER,
    Mix,
    ModelShape,
    Place,
    Rules,
    is_70b,
)
from lineal.shown import quoted

__all__ = ("ModelShape", "Wishes", "first_types", "is_quantized", "shortened", "types_of")

HEAD = "output.weight"
EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")

_VALUES = ("attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight")
_BLOCK = re.compile(r"blk\.(\d+)\.")


@final
@dataclass(frozen=True)
class Wishes:
    """What somebody asked for beside the scheme: ggml types by expressions that are searched for in names, in order.

    output: of the matrix that makes the logits; embedding: of the embedding, even where that makes them.
    """

    patterns: Sequence[tuple[str, str]] = ()
    output: str | None = None
    embedding: str | None = None


def types_of(
    scheme: str, tensors: Mapping[str, tuple[int, ...]], shape: ModelShape, wishes: Wishes | None = None
) -> dict[str, str]:
    """The ggml type of each tensor, in the order of `tensors`: what llama.cpp's quantizer takes for this scheme.

    tensors: GGUF names and shapes, rows first, experts before them. Raises MethodError for an architecture that is
    mixed by rules which are not known here, for a wish that no tensor has the name for, and for one that does not fit.
    """
    if shape.architecture in MIXED_OTHERWISE:
        raise MethodError(f"gguf: {shape.architecture} has mixes of its own in llama.cpp, which are not known here")
    choice = _Choice(MIXES[scheme], shape, wishes or Wishes(), tensors)
    found = {name: choice.of(name, tensors[name]) for name in sorted(tensors, key=_order)}
    choice.refuse_unmatched()
    return {name: found[name] for name in tensors}


def first_types(scheme: str | None, tensors: Mapping[str, tuple[int, ...]], *, tied: bool) -> dict[str, str] | None:
    """The types under rules 1, which knew five schemes and no mix; None where those made no file."""
    if scheme not in ("f32", "f16", "bf16", "q8_0", "q4_0"):
        return None
    logits = "token_embd.weight" if tied else HEAD
    of_logits = "Q8_0" if scheme == "q4_0" else scheme.upper()
    found = {
        name: "F32" if len(shape) < 2 else of_logits if name == logits else scheme.upper()
        for name, shape in tensors.items()
    }
    return found if all(_fits(kind, tensors[name][-1]) for name, kind in found.items()) else None


def is_quantized(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor gets the scheme's type: what is not small, and no vector."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    if len(shape) < 2 or not name.endswith("weight") or name in KEPT_NAMES:
        return False
    return not any(part in name for part in KEPT)


def shortened(kind: str, columns: int) -> str:
    """The type of a tensor with rows of so many columns: `kind`, unless they are no whole blocks of it."""
    if _fits(kind, columns):
        return kind
    shorter = SHORTER.get(kind, kind)
    return shorter if _fits(shorter, columns) else "F16"


def _fits(kind: str, columns: int) -> bool:
    return columns % QuantizationType.named(kind.lower()).block_weights == 0


def _order(name: str) -> tuple[int, bytes]:
    """Tensors outside of blocks first, then by block; bytes within: the order in which llama.cpp counts them."""
    block = _BLOCK.match(name)
    return (int(block[1]) if block else -1, name.encode())


@final
class _Choice:
    """Goes through the tensors in llama.cpp's order and counts the values' projections that it has had."""

    def __init__(self, mix: Mix, model: ModelShape, wishes: Wishes, names: Mapping[str, object]) -> None:
        self._mix, self._model, self._wishes = mix, model, wishes
        self._expressions = Expressions("gguf: tensor_types", MethodError)
        self._unmatched = dict.fromkeys(pattern for pattern, _ in wishes.patterns)
        self._values = sum(_is_values(name) for name in names)
        self._values_had = self._downs_had = 0

    def of(self, name: str, shape: tuple[int, ...]) -> str:
        if not is_quantized(name, shape):
            return "F32"
        wished = self._wished(name)
        exact = self._exactly(name)
        if exact is not None:
            return _checked(exact, name, shape)
        if not self._mix.in_blocks:
            return self._mix.base
        return shortened(wished or self._mixed(name, shape[-1]), shape[-1])

    def refuse_unmatched(self) -> None:
        if self._unmatched:
            missing = ", ".join(quoted(pattern) for pattern in self._unmatched)
            raise MethodError(f"gguf: tensor_types: no matrix is left whose name has {missing} in it")

    def _wished(self, name: str) -> str | None:
        for pattern, kind in self._wishes.patterns:
            if self._expressions.found(pattern, name):
                self._unmatched.pop(pattern, None)
                return kind
        return None

    def _exactly(self, name: str) -> str | None:
        """A type that is taken as it is, whatever the rows: of the embedding, or of the head."""
        if name in EMBEDDINGS and self._wishes.embedding:
            return self._wishes.embedding
        return self._wishes.output if name == HEAD else None

    def _mixed(self, name: str, columns: int) -> str:
        base = self._mix.base
        if name == HEAD or (self._model.tied and name in EMBEDDINGS):
            return self._wishes.output or ("Q8_0" if base == "Q8_0" or not _fits(base, columns) else "Q6_K")
        if name in EMBEDDINGS:
            return base
        eight = self._model.experts == 8
        if _is_values(name):
            kind = self._ruled(self._mix.attn_v, self._values_had, self._values)
            self._values_had += 1
            kind = MORE_OF_70B.get(kind, kind) if is_70b(self._model) else kind
            return "Q8_0" if eight else kind
        if "attn_k.weight" in name:
            return "Q8_0" if eight else base
        if "attn_output.weight" in name:
            return (self._mix.of_eight or base) if eight else self._ruled(self._mix.attn_output, 0, 1)
        return self._down(name) if "ffn_down" in name else base

    def _down(self, name: str) -> str:
        """In a mixture the block's number counts, in a dense model how many there were before."""
        block = _BLOCK.match(name)
        index = int(block[1]) if block and self._model.experts > 1 else self._downs_had
        self._downs_had += 1
        return self._ruled(self._mix.ffn_down, index, self._model.blocks)

    def _ruled(self, rules: Rules, index: int, of: int) -> str:
        place = Place(index, of, self._model)
        return next((kind for holds, kind in rules if holds(place)), self._mix.base)


def _is_values(name: str) -> bool:
    return name != HEAD and any(part in name for part in _VALUES)


def _checked(kind: str, name: str, shape: tuple[int, ...]) -> str:
    if not _fits(kind, shape[-1]):
        block = QuantizationType.named(kind.lower()).block_weights
        raise MethodError(
            f"gguf: {name} {list(shape)} has rows of {shape[-1]}; {kind}, asked for, has blocks of {block}"
        )
    return kind
