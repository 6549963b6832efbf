"""Special tokens that begin with what others end with: where two overlap in a text, one of them is cut out first."""

from collections.abc import Collection, Iterator

from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles
from lineal.shown import quoted


def overlap_remarks(files: TokenizerFiles) -> Iterator[str]:
    found = overlapping({token["content"] for token in files.added})
    if found is not None:
        yield (
            f"where special tokens overlap in a text ({quoted(found[0])} and {quoted(found[1])} may), llama.cpp cuts "
            "out the longest, the tokenizer the first"
        )


def overlapping(tokens: Collection[str]) -> tuple[str, str] | None:
    """Two tokens, the one ending with what the other begins with.

    Runs of one character are cut out alike, and a token that overlaps with itself, too.
    """
    begin = dict[str, list[str]]()
    for token in sorted(tokens):
        for length in range(1, len(token)):
            begin.setdefault(token[:length], []).append(token)
    for token in sorted(tokens):
        for length in range(1, len(token)):
            for other in begin.get(token[-length:], []):
                if other != token and len({*token, *other}) > 1:
                    return token, other
    return None
