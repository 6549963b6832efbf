"""Canonical JSON (RFC 8785), the only form of a record that is ever hashed.

Numbers are rfc8785's; the rest is written here, since the package took most of the time of recording steps in bulk.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import rfc8785

from lineal.errors import DerivationError
from lineal.shown import quoted

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

LARGEST_EXACT_INTEGER = 2**53 - 1
"""Beyond it a JSON number is no longer one integer for every reader, so it is written as a string."""


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes; tuples are arrays, integers beyond 2^53 strings; NaN and infinities are refused."""
    try:
        return _written(exact(value)).encode()
    except ValueError as error:  # lone surrogates, which UTF-8 does not have
        raise DerivationError(f"a record cannot hold this: {error}") from None
    except RecursionError:
        raise DerivationError("a record cannot be nested this deeply") from None


def exact(value: Any) -> Json:
    """A value in JSON types that every reader reads alike."""
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
    raise DerivationError(f"a record cannot hold a {type(value).__name__}: {quoted(value)}")


def _written(value: Json) -> str:
    if isinstance(value, float):
        return rfc8785.dumps(value).decode()
    if isinstance(value, dict):
        keys = value if len(value) < 2 else sorted(value, key=_by_utf_16)
        return f"{{{','.join([f'{_PLAIN(key)}:{_written(value[key])}' for key in keys])}}}"
    if isinstance(value, list):
        return f"[{','.join([_written(item) for item in value])}]"
    return _PLAIN(value)


_PLAIN = json.JSONEncoder(ensure_ascii=False).encode
"""Strings escaped as the RFC asks, integers, true, false and null."""


def _by_utf_16(key: str) -> bytes:
    """Section 3.2.3: by UTF-16 code units, which is another order than Python's beyond U+FFFF."""
    return key.encode("utf-16-be")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise DerivationError(f"a record's keys are strings, got {quoted(key)}")
    return key
