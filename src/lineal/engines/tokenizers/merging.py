"""How byte-pair encoding merges: what is left of a text, and by which halves a token comes to be."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

Pair: TypeAlias = tuple[str, str]
Rank: TypeAlias = Callable[[str, str], float]
"""When two neighbours are merged, the lowest first; NEVER where they are not."""
NEVER = math.inf


@final
@dataclass(frozen=True)
class Merged:
    """pieces: what cannot be merged further; halves: the pair merged last, where one piece is left of several."""

    pieces: Sequence[str]
    halves: Pair | None


def merged(text: str, rank: Rank) -> Merged:
    """Merge neighbours from single characters on: always the pair of the lowest rank, of equal ones the first.

    Within a longer text the same neighbours are merged in the same order until something from outside joins in. So a
    token comes to be by one pair of halves only, whatever stands around it: by those of its own text.
    """
    pieces, halves = list(text), None
    ranks = [rank(left, right) for left, right in pairwise(pieces)]
    while (lowest := min(ranks, default=NEVER)) < NEVER:
        at = ranks.index(lowest)
        halves = pieces[at], pieces[at + 1]
        pieces[at : at + 2] = ["".join(halves)]
        del ranks[at]
        if at > 0:
            ranks[at - 1] = rank(pieces[at - 1], pieces[at])
        if at < len(ranks):
            ranks[at] = rank(pieces[at], pieces[at + 1])
    return Merged(pieces, halves if len(pieces) == 1 else None)


def by_pairs(pairs: Iterable[Pair]) -> Rank:
    """As tokenizer.json merges: listed pairs, the first listed first."""
    ranks = dict[Pair, int]()
    for index, pair in enumerate(pairs):
        ranks.setdefault(pair, index)
    return lambda left, right: ranks.get((left, right), NEVER)


def by_scores(scores: Mapping[str, float]) -> Rank:
    """As SentencePiece merges: whatever makes a token, that of the highest score first."""
    ranks = {token: -score for token, score in scores.items()}
    return lambda left, right: ranks.get(left + right, NEVER)
