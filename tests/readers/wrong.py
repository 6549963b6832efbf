"""Every key of a document with a value of each wrong type, one at a time."""

import copy
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from lineal.errors import LinealError

WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**70, 0.5, 1e308, float("nan"), float("inf")),
    *("", "x", "\x00", "\ud800", "\x1b[2J\n", "../..", "1"),
    *([], [None], [[]], [1, "x"], [-1], ["x"], {}, {"x": None}, {"type": None}, {"": []}),
)
_MANY = 50
"""Keys from which on a mapping is one of names, of which two stand for all."""

KeyPath = tuple[str | int, ...]


def changes(document: Any) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Where, what stands there then, and the whole document; also without what stands there."""
    for keys in _places(document):
        for value in WRONG:
            changed = copy.deepcopy(document)
            _holder(changed, keys)[keys[-1]] = value
            yield keys, value, changed
        changed = copy.deepcopy(document)
        del _holder(changed, keys)[keys[-1]]
        yield keys, "absent", changed


def faults(document: Any, write: Callable[[Any], None], ask: Callable[[], object]) -> list[str]:
    """What is neither an answer nor an error of lineal's, over all changes."""
    found: list[str] = []
    for keys, value, changed in changes(document):
        write(changed)
        try:
            ask()
        except LinealError as error:
            if not all(line.isprintable() for line in error.lines):
                found.append(f"{keys} = {value!r}: an error that is no plain text")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            found.append(f"{keys} = {value!r}: {type(error).__name__}: {error}"[:300])
    write(document)
    ask()
    return found


def _places(document: Any, above: KeyPath = ()) -> Iterator[KeyPath]:
    items = document.items() if isinstance(document, dict) else enumerate(document)
    few = islice(items, None if isinstance(document, dict) and len(document) < _MANY else 2)
    for key, value in few:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*above, key))


def _holder(document: Any, keys: KeyPath) -> Any:
    for key in keys[:-1]:
        document = document[key]
    return document
