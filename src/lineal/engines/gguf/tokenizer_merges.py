"""The merges that the scores of a GGUF's tokens stand for: of each token the two halves that make it."""

import math
from collections.abc import Collection, Sequence
from itertools import groupby

from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.tokenizer_stored import integers_of, numbers_of, strings_of
from lineal.engines.gguf.tokenizer_tokens import CUT_OUT
from lineal.engines.tokenizers.merging import by_scores, merged
from lineal.engines.tokenizers.sentence_pieces import SPACE
from lineal.errors import CheckpointError
from lineal.shown import quoted


def merges_of(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """In the order in which llama.cpp makes them, whatever the text."""
    tokens = strings_of(checkpoint, "tokenizer.ggml.tokens")
    scores = dict(zip(tokens, numbers_of(checkpoint, "tokenizer.ggml.scores"), strict=False))
    kinds = integers_of(checkpoint, "tokenizer.ggml.token_type")
    if not len(tokens) == len(scores) == len(kinds):
        raise CheckpointError(
            f"{checkpoint.path}: {len(set(tokens))} of {len(tokens)} tokens differ, {len(scores)} have scores and "
            f"{len(kinds)} kinds; all must"
        )
    strange = next((token for token in tokens if not math.isfinite(scores[token])), None)
    if strange is not None:
        raise CheckpointError(f"{checkpoint.path}: the score of {quoted(strange)} is {scores[strange]}, not finite")
    rank, halves = by_scores(scores), dict[str, tuple[str, str]]()
    for token, kind in zip(tokens, kinds, strict=True):
        if len(token) > 1 and (kind not in CUT_OUT or SPACE in token):
            found = merged(token, rank).halves
            if found is not None:
                halves[token] = found
    for pair in halves.values():
        for half in pair:
            if half not in scores:
                raise CheckpointError(f"{checkpoint.path}: {quoted(half)} is merged and is no token")
    made = sorted(halves, key=lambda token: (-scores[token], -len(token)))
    for _, tied in groupby(made, key=scores.__getitem__):
        _check_tie(checkpoint, list(tied), halves.keys())
    return [halves[token] for token in made]


def _check_tie(checkpoint: Checkpoint, tied: Sequence[str], made: Collection[str]) -> None:
    """Of equal scores llama.cpp takes the first in the text, a list of merges the first in the list.

    It is the same for all runs of one character that there are (Mistral's of spaces), the longest listed first: from
    single characters on, the first run that has begun to grow is the only place where more than two can be had.
    """
    letters = {letter for token in tied for letter in token}
    if len(tied) > 1 and (len(letters) > 1 or len(tied) < sum(set(token) == letters for token in made)):
        first, second = tied[:2]
        raise CheckpointError(
            f"{checkpoint.path}: {quoted(first)} and {quoted(second)} have one score; which of them is merged first "
            "depends on the text, which no list of merges can say"
        )
