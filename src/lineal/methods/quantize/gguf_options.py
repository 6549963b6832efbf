"""How the options of a GGUF are written: schemes, types by name, sizes; read into one form, whoever wrote them."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias, cast

from pydantic import BeforeValidator, WithJsonSchema

from lineal.methods.quantize.mix_table import ALIASES, MIXES

SCHEMES = tuple(MIXES)

TYPES = tuple(dict.fromkeys(mix.base.lower() for mix in MIXES.values()))
"""The ggml types that are written, as recipes and records spell them."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)?")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _scheme(written: object) -> object:
    """llama.cpp writes Q8_0, and Q4_K for Q4_K_M; a recipe is the same either way."""
    lowered = _lowered(written)
    return ALIASES.get(lowered, lowered) if isinstance(lowered, str) else lowered


def _lowered(written: object) -> object:
    return written.lower() if isinstance(written, str) else written


def _pairs(written: object) -> object:
    """`attn_v=q6_k`, several in a list, or a mapping: pairs in their order, types in small letters."""
    if isinstance(written, Mapping):
        written = list(cast(Mapping[object, object], written).items())
    if isinstance(written, str):
        written = [written]
    if not isinstance(written, list | tuple):
        return written
    return [_pair(one) for one in cast(list[object], written)]


def _pair(written: object) -> object:
    if isinstance(written, str):
        pattern, equals, kind = written.rpartition("=")
        if not (pattern and equals and kind):
            raise ValueError("a type by name is written pattern=type, as attn_v=q6_k")
        return (pattern, kind.lower())
    if isinstance(written, list | tuple):
        return tuple(part if place == 0 else _lowered(part) for place, part in enumerate(cast(list[object], written)))
    return written


def _size(written: object) -> object:
    """90MB, 1.5 GiB or a number of bytes."""
    if not isinstance(written, str):
        return written
    found = _SIZE.fullmatch(written.strip())
    if found is None:
        raise ValueError("a size is a number of bytes, or a number with kB, MB, GB, KiB, MiB or GiB behind it")
    return round(float(found[1]) * _UNITS[found[2] or "B"])


def _schema(names: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(names)}, mode="validation")


Scheme: TypeAlias = Annotated[str, BeforeValidator(_scheme), _schema(SCHEMES)]
TypeName: TypeAlias = Annotated[str, BeforeValidator(_lowered), _schema(TYPES)]
TypesByName: TypeAlias = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)]
Size: TypeAlias = Annotated[int, BeforeValidator(_size)]
