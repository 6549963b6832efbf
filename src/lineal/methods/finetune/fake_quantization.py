"""Fake quantization: weights stand rounded to a grid in every forward pass, so that they learn to be rounded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, final

from pydantic import BeforeValidator, ConfigDict

from lineal.errors import MethodError
from lineal.shown import quoted

_SCHEME = re.compile(r"w([2-8])a16")
_GROUPS = (32, 64, 128)


@final
@dataclass(frozen=True, kw_only=True)
class FakeQuantization:
    """scheme: w2a16 to w8a16. group_size, symmetric: as `rtn` has them, whose rounding it is."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    scheme: str
    group_size: int | Literal["channel"] = 128
    symmetric: bool = True

    def __post_init__(self) -> None:
        if _SCHEME.fullmatch(self.scheme) is None:
            raise MethodError(f"fake_quantize: scheme must be one of w2a16 to w8a16, got {quoted(self.scheme)}")
        if self.group_size not in (*_GROUPS, "channel"):
            one_of = ", ".join(map(str, _GROUPS))
            raise MethodError(f"fake_quantize: group_size is one of {one_of} or channel, got {self.group_size}")

    @property
    def bits(self) -> int:
        return int(self.scheme[1])

    @property
    def group(self) -> int | None:
        """Columns that share a scale; None: all of a row."""
        return None if self.group_size == "channel" else self.group_size


def _written(value: object) -> object:
    """A scheme alone stands for itself with what is usual."""
    said: Any = {"scheme": value} if isinstance(value, str) else value
    if isinstance(said, Mapping) and isinstance(said.get("scheme"), str):
        return {**said, "scheme": said["scheme"].lower()}
    return said


FakeQuantize: TypeAlias = Annotated[FakeQuantization, BeforeValidator(_written)]
