"""What packed weights are stored as: schemes by the names that vLLM's tools give them, and their options."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, TypeAlias, cast, final

from pydantic import BeforeValidator, WithJsonSchema

from lineal.errors import MethodError
from lineal.methods.method import nearest
from lineal.methods.quantize.grid import Grid
from lineal.shown import quoted

Number: TypeAlias = Literal["int", "e4m3", "e2m1"]
Span: TypeAlias = int | Literal["channel", "tensor", "block"]
"""What shares a scale: so many columns of a row, a row, a whole tensor, or a block of BLOCK rows and columns."""
Activations: TypeAlias = Literal["int8 a token", "int8 a tensor", "float8 a token", "float8 a group", "float8 a tensor"]

BLOCK: Final = 128
GROUPS: Final = (32, 64, 128)
HEAD: Final = ("lm_head",)
"""What stays as it is where nothing is said."""


@final
@dataclass(frozen=True, slots=True)
class PackedScheme:
    """number: what a code is; span: of a scale, where no option says another; activations: how what a layer multiplies
    is rounded when the model is run, which changes nothing of the weights: None as it is."""

    name: str
    number: Number
    bits: int
    span: Span
    activations: Activations | None = None

    @property
    def is_static(self) -> bool:
        """Whether a scale for what a layer multiplies is stored beside it, which only texts tell."""
        return self.activations is not None and self.activations.endswith("a tensor")

    @property
    def has_groups(self) -> bool:
        """Whether the span and zero points are options."""
        return self.number == "int" and self.activations is None


_ALL = (
    *(PackedScheme(f"w{bits}a16", "int", bits, 128) for bits in range(2, 9)),
    PackedScheme("w8a8", "int", 8, "channel", "int8 a token"),
    PackedScheme("w8a8_static", "int", 8, "channel", "int8 a tensor"),
    PackedScheme("fp8", "e4m3", 8, "tensor", "float8 a tensor"),
    PackedScheme("fp8_dynamic", "e4m3", 8, "channel", "float8 a token"),
    PackedScheme("fp8_block", "e4m3", 8, "block", "float8 a group"),
    PackedScheme("nvfp4", "e2m1", 4, 16),
    PackedScheme("mxfp4", "e2m1", 4, 32),
)
PACKED_SCHEMES: Final = {scheme.name: scheme for scheme in _ALL}


@final
@dataclass(frozen=True, slots=True)
class Storage:
    """A scheme with its options: all that decides how weights are stored. span: of a scale; symmetric: no zero points.

    scale_dtype: of scales that are stored as the model's own numbers are.
    """

    scheme: PackedScheme
    span: Span
    symmetric: bool = True

    def grid(self, scale_dtype: str) -> Grid:
        """Of whole numbers, the grid that rows are rounded to; that of a whole tensor where all rows share a scale."""
        group = self.span if isinstance(self.span, int) else None
        return Grid(self.scheme.bits, self.symmetric, group, scale_dtype)


class Ignores(Protocol):
    """A method that leaves some layers as they are. ignore: by their names, or re: and an expression."""

    name: ClassVar[str]

    @property
    def ignore(self) -> tuple[str, ...]: ...


class StoresPacked(Ignores, Protocol):
    """A method whose child is stored so."""

    @property
    def storage(self) -> Storage: ...


def storage(method: str, scheme: str, group_size: "GroupSize | None", *, symmetric: bool) -> Storage:
    """What the options of a method ask for. method: for messages. Raises: MethodError: options that do not fit."""
    found = PACKED_SCHEMES.get(scheme)
    if found is None:
        raise MethodError(f"{method}: unknown scheme {quoted(scheme)} ({nearest(scheme, list(PACKED_SCHEMES))})")
    if group_size is not None and not found.has_groups:
        raise MethodError(f"{method}: {scheme} has scales of its own kind; leave group_size out")
    if group_size is not None and group_size not in (*GROUPS, "channel", "tensor"):
        one_of = ", ".join(map(str, GROUPS))
        raise MethodError(f"{method}: group_size is one of {one_of}, channel or tensor, got {quoted(str(group_size))}")
    if not symmetric and not found.has_groups:
        raise MethodError(f"{method}: {scheme} has no zero points; leave symmetric out")
    span = found.span if group_size is None else group_size
    if not symmetric and span == "tensor":
        raise MethodError(f"{method}: a scale for a whole tensor has no zero point: group_size channel, or symmetric")
    return Storage(found, span, symmetric)


def _scheme(written: object) -> object:
    """vLLM's tools write W4A16, FP8_DYNAMIC."""
    return written.lower() if isinstance(written, str) else written


def _group_size(written: object) -> object:
    if isinstance(written, str):
        return int(written) if written.isdecimal() else written.lower()
    return written


def _patterns(written: object) -> object:
    return [written] if isinstance(written, str) else cast(Any, written)


SchemeName: TypeAlias = Annotated[
    str,
    BeforeValidator(_scheme),
    WithJsonSchema({"type": "string", "enum": list(PACKED_SCHEMES)}, mode="validation"),
]
GroupSize: TypeAlias = Annotated[int | str, BeforeValidator(_group_size)]
Patterns: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_patterns)]
