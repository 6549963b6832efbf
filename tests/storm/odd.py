"""What nobody expects in a place: odd values, odd words, and documents in which one value is odd."""

import json
import random
from typing import Any

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "a\nlineal: all is well",
    "\u202etxt.exe",
    "nul\0nul",
    "\ud800",
    "../../outside/secret.json",
    "../outside/secret.json",
    "[bold]x[/bold]",
    "x" * 300,
    "",
)
VALUES: tuple[Any, ...] = (
    *HOSTILE,
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    2**70,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"": None},
    ["a", 1, None],
)


def odd_value(draw: random.Random) -> Any:
    """One of VALUES, or a deep nest of lists."""
    if draw.random() < 0.03:
        value: Any = 1
        for _ in range(draw.choice((20, 200))):
            value = [value] if draw.random() < 0.5 else {"a": value}
        return value
    return draw.choice(VALUES)


def places(document: Any, limit: int = 4000) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document, containers before what is in them; large ones are cut."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(found) < limit:
        here = waiting.pop(0)
        if not isinstance(here, dict | list):
            continue
        for key in list(here) if isinstance(here, dict) else range(len(here)):
            found.append((here, key))
            waiting.append(here[key])
    return found


def spoil(document: Any, draw: random.Random) -> tuple[Any, str]:
    """The document with one thing changed in place, and what that was."""
    found = places(document)
    if not found or draw.random() < 0.03:
        value = odd_value(draw)
        return value, f"all of it is {value!r:.60}"
    near = found[: 1 + min(len(found) - 1, 40)] if draw.random() < 0.6 else found
    here, key = draw.choice(near)
    match draw.choice(("replace", "replace", "replace", "remove", "rename", "neighbour", "double")):
        case "remove":
            del here[key]
            said = "removed"
        case "rename" if isinstance(here, dict):
            new = draw.choice((*HOSTILE, *here))
            here[new] = here.pop(key)
            said = f"renamed to {new!r:.60}"
        case "neighbour":
            other, at = draw.choice(found)
            here[key] = other[at] if other is not here else odd_value(draw)
            said = f"what stands at {at!r:.40}"
        case "double" if isinstance(here, list):
            here.append(here[key])
            said = "there twice"
        case _:
            here[key] = value = odd_value(draw)
            said = f"{value!r:.60}"
    return document, f"{key!r:.60}: {said}"


def written(document: Any) -> str:
    """As JSON, even where it refers to itself by now."""
    try:
        return json.dumps(document)
    except ValueError:
        return "[]"
