"""Which tensor of a known model goes with which of the unknown one: by name and shape, blocks also by content."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.engines.compare.kinship.independence import ALPHA, agreement
from lineal.engines.compare.kinship.windows import Spot, read, spots
from lineal.engines.parents.model import Model

Alignment: TypeAlias = Mapping[str, str]
"""The unknown model's name of a tensor -> the known one's."""

Blocks: TypeAlias = Mapping[int, int]
"""The unknown model's number of a block -> the known one's; the same number where nothing is said."""

_MOST_PARTS = 4
"""Of a name, that may be a prefix of all names."""


def aligned(child: Model, known: Model, equal: Alignment, blocks: Blocks) -> dict[str, str]:
    """Tensors of one meaning, alike but for their first dimension, which may count other tokens.

    equal: tensors with the same bytes, whatever their names.
    """
    prefixes = _prefixes(child.sources, known.sources)
    found: dict[str, str] = {}
    for name, source in child.sources.items():
        moved = _moved(name, blocks)
        there = moved if moved in known.sources else _renamed(moved, prefixes)
        other = known.sources.get(there)
        if other is not None and len(other.shape) == len(source.shape) and other.shape[1:] == source.shape[1:]:
            found[name] = there
        elif equal.get(name) in known.sources:
            found[name] = equal[name]
    return found


def matched_blocks(child: Model, known: Model) -> tuple[dict[int, int], int]:
    """For each block of the child the known one's that agrees with it most; and how many pairs were compared.

    One matrix of each block is read. A block that agrees with none is left out.
    """
    kinds = Counter(_kind(spot.name) for spot in _all_spots(child) if BLOCK.fullmatch(spot.name))
    if not kinds:
        return {}, 1
    kind = kinds.most_common(1)[0][0]
    mine, theirs = _blocks(child, kind), _blocks(known, _renamed(kind, _prefixes(child.sources, known.sources)))
    found: dict[int, int] = {}
    for number, window in mine.items():
        agreements = {other: agreement(window, there) for other, there in theirs.items() if there.shape == window.shape}
        # in its own place first: of blocks that agree alike, the one that did not move
        best = max(agreements, key=lambda other: (agreements[other].z, other == number), default=None)
        if best is not None and agreements[best].p < ALPHA:
            found[number] = best
    return found, max(1, len(mine) * len(theirs))


def _all_spots(model: Model) -> tuple[Spot, ...]:
    return spots(model, len(model.sources))


def _blocks(model: Model, kind: str) -> dict[int, NDArray[np.float32]]:
    chosen = [spot for spot in _all_spots(model) if _kind(spot.name) == kind]
    windows = read(model, [(spot, spot.name) for spot in chosen])
    return {_number(name): window for name, window in windows.items()}


def _prefixes(mine: Iterable[str], theirs: Iterable[str]) -> tuple[str, str]:
    """What stands before all names on either side, where the rest is alike: `model.` and `language_model.model.`."""
    there = set(theirs)
    tails = {tail: prefix for name in sorted(there) for prefix, tail in _splits(name)}
    strangers = (name for name in mine if name not in there)
    votes = Counter((prefix, tails[tail]) for name in strangers for prefix, tail in _splits(name) if tail in tails)
    most = max(votes.values(), default=0)
    return min(
        (pair for pair, count in votes.items() if count == most), key=lambda pair: len("".join(pair)), default=("", "")
    )


def _splits(name: str) -> list[tuple[str, str]]:
    parts = name.split(".")
    return [(".".join([*parts[:i], ""]), ".".join(parts[i:])) for i in range(min(_MOST_PARTS, len(parts) - 1))]


def _renamed(name: str, prefixes: tuple[str, str]) -> str:
    mine, theirs = prefixes
    return theirs + name.removeprefix(mine) if name.startswith(mine) else name


def _moved(name: str, blocks: Blocks) -> str:
    match = BLOCK.fullmatch(name)
    if match is None:
        return name
    number = int(match["number"])
    return f"{match['before']}{blocks.get(number, number)}{match['after']}"


def _kind(name: str) -> str:
    match = BLOCK.fullmatch(name)
    return f"{match['before']}*{match['after']}" if match else ""


def _number(name: str) -> int:
    match = BLOCK.fullmatch(name)
    return int(match["number"]) if match else -1
