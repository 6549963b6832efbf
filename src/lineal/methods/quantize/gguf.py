"""GGUF: every matrix in one of ggml's types, by a scheme; vectors stay float32."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from lineal.derivation.canonical import Json
from lineal.derivation.quantization import QuantizationType
from lineal.errors import MethodError
from lineal.expressions import Expressions
from lineal.methods.method import Reproducibility, nearest
from lineal.methods.quantize.gguf_options import SCHEMES, TYPES, Scheme, Size, TypeName, TypesByName
from lineal.methods.quantize.mix_table import MIXES, ModelShape
from lineal.methods.quantize.mixes import Wishes, first_types, types_of
from lineal.methods.streaming import KEEP, Emit, Site, StreamingMethod
from lineal.shown import quoted

__all__ = ("SCHEMES", "GgufQuantization")

_LATER = frozenset(("scheme", "tensor_types", "output_type", "embedding_type", "bits_per_weight", "size", "main_type"))
"""Options that were not there, or could not be None, when the first steps were recorded."""

_MOST_BITS, _MOST_BYTES = 32.0, 1 << 53


@dataclass(frozen=True, kw_only=True)
class GgufQuantization(StreamingMethod):
    """Write a model as one GGUF file, as llama.cpp reads it.

    scheme: the types of the matrices, as llama.cpp mixes them under that name. Vectors (norms, biases) are always F32,
        and what llama.cpp does not quantize, such as the routers of mixtures. Rows that are no whole blocks get a type
        with shorter ones. Without a scheme a size is needed.
    tensor_types: other types for tensors by name, as attn_v=q6_k: regular expressions that are searched for in GGUF's
        names, in order, of which the first counts.
    output_type: the type of the matrix that makes the logits.
    embedding_type: the type of the embedding, even where it makes the logits, too.
    bits_per_weight: of all weights together. Types are chosen that make the smallest error, by what rounding a sample
        of each tensor to each type loses; with a scheme the choice begins with its types.
    size: the same, of the whole file: 90MB, or a number of bytes.
    main_type: the type that holds most weights. A recipe leaves it out: it is found where types are asked for by name
        or by size.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "gguf"
    paper: ClassVar = "https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"
    reproducibility: ClassVar = Reproducibility.EXACT
    found: ClassVar = "main_type"

    scheme: Scheme | None = None
    tensor_types: TypesByName = ()
    output_type: TypeName | None = None
    embedding_type: TypeName | None = None
    bits_per_weight: float | None = None
    size: Size | None = None
    main_type: TypeName | None = None

    def __post_init__(self) -> None:
        if self.scheme is not None and self.scheme not in SCHEMES:
            raise MethodError(f"gguf: scheme {_one_of(SCHEMES, self.scheme)}")
        if self.scheme is None and not self.has_target:
            raise MethodError("gguf: scheme is needed, or what is to be fitted: bits_per_weight or size")
        self._check_types()
        self._check_target()

    def _check_types(self) -> None:
        for option in ("output_type", "embedding_type", "main_type"):
            _check_type(option, getattr(self, option))
        expressions = Expressions("gguf: tensor_types", MethodError)
        for pattern, kind in self.tensor_types:
            expressions.check(pattern)
            _check_type(f"tensor_types: {quoted(pattern)}", kind)
        if self.tensor_types and self.scheme is not None and not MIXES[self.scheme].in_blocks:
            raise MethodError(f"gguf: tensor_types go with a scheme of blocks; {self.scheme} is one type for all")

    def _check_target(self) -> None:
        if self.bits_per_weight is not None and self.size is not None:
            raise MethodError("gguf: bits_per_weight and size are two ways to say one thing; give one of them")
        if self.bits_per_weight is not None and not 0 < self.bits_per_weight <= _MOST_BITS:
            raise MethodError(f"gguf: bits_per_weight must be in (0, {_MOST_BITS:g}], got {self.bits_per_weight}")
        if self.size is not None and not 0 < self.size < _MOST_BYTES:
            raise MethodError(f"gguf: size must be a positive number of bytes, got {self.size}")
        if self.has_target and self.scheme is not None and not MIXES[self.scheme].in_blocks:
            raise MethodError(f"gguf: nothing can be fitted to a size with scheme {self.scheme}, one type for all")

    @property
    def has_target(self) -> bool:
        """Whether types are chosen by a size."""
        return self.bits_per_weight is not None or self.size is not None

    @property
    def found_in_making(self) -> str | None:
        """The type of most weights, where the scheme alone does not say it."""
        return self.found if self.has_target or self.tensor_types else None

    def options(self) -> dict[str, Json]:
        """What has the value it had before there was such an option is left out."""
        return {key: value for key, value in super().options().items() if key not in self._plain}

    @property
    def _plain(self) -> frozenset[str]:
        """The later options that say nothing."""
        return frozenset(option for option in _LATER if getattr(self, option) in (None, ()))

    def check_recipe(self, data_files: int) -> None:
        if data_files > 1:
            raise MethodError(f"gguf: one importance matrix can be used, got {data_files}")
        if self.main_type is not None:
            raise MethodError("gguf: main_type is found when the model is made, leave it out")

    def passes(self, site: Site) -> int:
        return 1

    @property
    def wishes(self) -> Wishes:
        """What is asked for beside the scheme."""
        patterns = [(pattern, kind.upper()) for pattern, kind in self.tensor_types]
        output, embedding = (kind and kind.upper() for kind in (self.output_type, self.embedding_type))
        return Wishes(patterns, output, embedding)

    def types(self, tensors: Mapping[str, tuple[int, ...]], shape: ModelShape) -> dict[str, str]:
        """The ggml type of each tensor by its GGUF name; where a size is to be fitted, those that are begun with."""
        return types_of(self.scheme or "q6_k", tensors, shape, self.wishes)

    def free(self, tensors: Mapping[str, tuple[int, ...]], shape: ModelShape) -> frozenset[str]:
        """The tensors whose type a size may decide: matrices with rows of whole blocks that nobody asked a type for."""
        dense = replace(shape, experts=0)  # or all mixes would agree on the attention of eight experts
        small, large = (types_of(scheme, tensors, dense, self.wishes) for scheme in ("q4_0", "q8_0"))
        return frozenset(name for name, kind in small.items() if kind != large[name])

    def rules(self, tensors: Mapping[str, tuple[int, ...]], shape: ModelShape) -> int:
        """2 where lineals before there were mixes gave a tensor another type, as the head of q4_0 Q8_0; else 1."""
        if _LATER - {"scheme"} - self._plain or shape.architecture != "llama" or shape.importance:
            return 1
        before = first_types(self.scheme, tensors, tied=shape.tied)
        return 1 if before in (None, self.types(tensors, shape)) else 2

    @property
    def file_type(self) -> int:
        """llama.cpp's number for the mix, or for the first with these types."""
        if self.scheme is not None:
            return MIXES[self.scheme].file_type
        return next(mix.file_type for mix in MIXES.values() if mix.base.lower() == (self.main_type or "q6_k"))

    def unit(self, site: Site) -> int:
        """The values that share a scale in the widest of the types that may be written."""
        widest = max(QuantizationType.named(kind).block_weights for kind in TYPES)
        return widest if site.columns % widest == 0 else site.columns

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"gguf: one model is quantized at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        """The values pass as they are: what rounds them is the type that they are stored in."""
        yield KEEP


def _check_type(option: str, kind: Any) -> None:
    if kind is not None and kind not in TYPES:
        raise MethodError(f"gguf: {option} {_one_of(TYPES, kind)}")


def _one_of(known: Iterable[str], given: str) -> str:
    """All that are known are listed already: a hint is only which of them may have been meant."""
    names = list(known)
    hint = nearest(given, names)
    meant = f" ({hint})" if hint.startswith("did you mean") else ""
    return f"must be one of {', '.join(names)}, got {quoted(given)}{meant}"
