"""Canonical JSON (RFC 8785), the only form of a record that is ever hashed."""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import rfc8785

from lineal.errors import DerivationError

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

LARGEST_EXACT_INTEGER = 2**53 - 1
"""Beyond it a JSON number is no longer one integer for every reader, so it is written as a string."""


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes; tuples are arrays, integers beyond 2^53 strings; NaN and infinities are refused."""
    try:
        return rfc8785.dumps(exact(value))  # pyright: ignore[reportArgumentType]
    except ValueError as error:  # lone surrogates, which UTF-8 does not have
        raise DerivationError(f"a record cannot hold this: {error}") from None
    except RecursionError:
        raise DerivationError("a record cannot be nested this deeply") from None


def exact(value: Any) -> Json:
    """The same value in JSON types that every reader reads alike."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_EXACT_INTEGER else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DerivationError(f"a record cannot hold {value}: numbers are finite")
        return value
    if isinstance(value, Mapping):
        return {_key(key): exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    raise DerivationError(f"a record cannot hold a {type(value).__name__}: {value!r}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise DerivationError(f"a record's keys are strings, got {key!r}")
    return key
