"""What each column may hold: the one gate between a database and everything that asks it.

A value outside its column's domain was not written by lineal. No question is answered from it: `gate` refuses the row
as it leaves the database, whichever query asked; `fault` says the same of a row to `lineal check`.
"""

import json
import math
import re
import struct
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, final

from lineal.derivation.hashes import HASH_LENGTH
from lineal.derivation.step import KINDS, ROLES
from lineal.errors import LinealError
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import STAGES

LATEST = 253402300800
"""The year 10000, in seconds since 1970: no calendar writes later times."""
_LARGEST = 2**63 - 1
_SHAPE = re.compile(r"\[(?:[0-9]{1,19}(?:,[0-9]{1,19}){0,63})?\]")
_QUOTED = 60
"""Letters of a value that are told."""


class IllFormedRow(Exception):
    """What the database holds is nothing that lineal wrote there; the store says where it is."""


@final
@dataclass(frozen=True)
class Domain:
    needed: str
    holds: Callable[[Any], bool]


def _integers(lowest: int) -> Domain:
    return Domain(f"an integer of at least {lowest}", lambda value: type(value) is int and lowest <= value <= _LARGEST)


def _numbers(lowest: float, highest: float) -> Domain:
    if math.isinf(lowest):
        return Domain("a finite number", lambda value: type(value) in (float, int) and math.isfinite(value))
    span = f"from {lowest:g}" if math.isinf(highest) else f"from {lowest:g} to {highest:.0f}"
    return Domain(
        f"a number {span}",
        lambda value: type(value) in (float, int) and math.isfinite(value) and lowest <= value <= highest,
    )


def _one_of(*words: str) -> Domain:
    return Domain(f"one of {', '.join(words)}", lambda value: type(value) is str and value in words)


def _is_object(value: object) -> bool:
    try:
        return isinstance(value, str) and isinstance(json.loads(value, parse_constant=_no_number), dict)
    except (ValueError, RecursionError):
        return False


def _no_number(word: str) -> None:
    raise ValueError(word)


def _is_version(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(str(SemanticVersion.parse(value)))
    except LinealError:
        return False


_KEY = Domain("a row's number", lambda value: type(value) is int)
_HASH = Domain(f"{HASH_LENGTH} bytes", lambda value: type(value) is bytes and len(value) == HASH_LENGTH)
_TEXT = Domain("text", lambda value: type(value) is str)
_WORD = Domain("text that is not empty", lambda value: type(value) is str and value != "")
_PATH = Domain("a path", lambda value: type(value) is str and value != "" and "\0" not in value)
_OBJECT = Domain("a JSON object", _is_object)
_TIME = Domain(
    "seconds since 1970", lambda value: type(value) in (float, int) and 0 <= value < LATEST
)  # NaN is neither
_FIGURE = _numbers(-math.inf, math.inf)

BY_COLUMN: Mapping[str, Domain] = {
    **dict.fromkeys(("model_hash", "weights_hash", "data_hash", "content_hash", "derivation_id", "entry_hash"), _HASH),
    **dict.fromkeys(("key_id", "layout_hash"), _HASH),
    **dict.fromkeys(("model_id", "spec_id", "tensor_id", "package_file_id", "child_id", "environment_id"), _KEY),
    **dict.fromkeys(("step_id", "data_file_id", "reference_id", "name_id", "version_id"), _KEY),
    **dict.fromkeys(("name", "family", "method", "dtype", "tag", "metric", "licence"), _WORD),
    **dict.fromkeys(("reason", "source", "text", "cleared_because", "envelope"), _TEXT),
    "path": _PATH,
    **dict.fromkeys(("content", "options", "settings", "rounding"), _OBJECT),
    **dict.fromkeys(("created", "cleared"), _TIME),
    **dict.fromkeys(("parameters", "tensor_bytes", "byte_length", "position", "tokens", "text_bytes"), _integers(0)),
    **dict.fromkeys(("method_version", "rules"), _integers(1)),
    **dict.fromkeys(("perplexity", "bits_per_byte", "kl", "figure"), _FIGURE),
    "shape": Domain("a list of dimensions", lambda value: type(value) is str and bool(_SHAPE.fullmatch(value))),
    "form": _one_of("full", "adapter", "gguf"),
    "type": _one_of(*KINDS),
    "role": _one_of(*ROLES),
    "evidence": _one_of(*(grade.value for grade in Evidence)),
    "stage": _one_of(*STAGES),
    "basis": _one_of("found", "given", "override"),
    "semver": Domain("a semantic version", _is_version),
    "reproduces": Domain("0 or 1", lambda value: type(value) is int and value in (0, 1)),
    "seconds": _numbers(0, math.inf),
    "share": Domain("a share above 0, up to 1", lambda value: type(value) in (float, int) and 0 < value <= 1),
    "score": _numbers(0, 1),
    "p_value": _numbers(0, 1),
    "quality_score": _numbers(0, 100),
}
"""By a column's name, which means the same in every table that has it; or by what a query calls it."""
_ELSEWHERE: Mapping[str, Domain] = {
    "step.version": _integers(1),
    "policy.rules": _OBJECT,
    "policy.name": _TEXT,
    "package_file.path": _WORD,
}

OPTIONAL: Mapping[str, Domain] = {
    **{name: BY_COLUMN[name] for name in ("weights_hash", "form", "parameters", "tensor_bytes", "share")},
    "layout_hash": _HASH,
    **{
        name: BY_COLUMN[name]
        for name in (
            "quality_score",
            "perplexity",
            "bits_per_byte",
            "kl",
            "score",
            "p_value",
            "cleared",
            "cleared_because",
        )
    },
    "licence_texts": _TEXT,
    "reference_hash": _HASH,
    "signed_step": _HASH,
    "inferred_by": _WORD,
    "inferred_because": _TEXT,
    "policy_rules": _OBJECT,
    "policy_name": _TEXT,
}
"""What queries call columns that may hold nothing, or that one table means differently."""


def domain_of(table: str, column: str) -> Domain | None:
    return _ELSEWHERE.get(f"{table}.{column}", BY_COLUMN.get(column))


def fault(domain: Domain, value: object) -> str:
    """What is wrong with a value, in a clause."""
    if value is None:
        return f"holds nothing, where {domain.needed} is needed"
    shown = f"{len(value)} bytes" if isinstance(value, bytes) else _shortened(ascii(value))
    return f"holds {shown}, where {domain.needed} is needed"


@cache
def gate(columns: tuple[str, ...]) -> Callable[[Any, Any], Any] | None:
    """What refuses an ill-formed row of these columns and gives any other on; None where nothing is to be said."""
    checks: list[tuple[int, Callable[[Any], bool], bool]] = []
    for position, column in enumerate(columns):
        domain = OPTIONAL.get(column) or BY_COLUMN.get(column)
        if domain is not None:
            checks.append((position, domain.holds, column in OPTIONAL))
    if not checks:
        return None
    if len(checks) == 1:
        ((position, holds, optional),) = checks

        def checked_once(_: Any, row: Any) -> Any:
            if holds(row[position]) or (optional and row[position] is None):
                return row
            raise IllFormedRow(_told(columns, position, row))

        return checked_once

    def checked(_: Any, row: Any) -> Any:
        for position, holds, optional in checks:
            value = row[position]
            if not (holds(value) or (optional and value is None)):
                raise IllFormedRow(_told(columns, position, row))
        return row

    return checked


@contextmanager
def row_of(table: str, key: object) -> Generator[None]:
    """Where a record is made of a row: what cannot be made of it is the row's fault."""
    try:
        yield
    except (LinealError, ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error) as error:
        words = f"nothing of its kind lacks {error}" if isinstance(error, KeyError) else str(error)
        raise IllFormedRow(f"row {key} of {table}: {_shortened(words, 200)}") from error


def _told(columns: Sequence[str], position: int, row: Sequence[object]) -> str:
    column = columns[position]
    domain = OPTIONAL.get(column) or BY_COLUMN[column]
    number = next((f" (row {row[columns.index(key)]})" for key in ("id", "step_id") if key in columns), "")
    return f"{column}{number} {fault(domain, row[position])}"


def _shortened(words: str, longest: int = _QUOTED) -> str:
    return words if len(words) <= longest else f"{words[:longest]}..."
