"""How transformers names tensors, as far as the name alone says where one belongs."""

import re

BLOCK = re.compile(r"(?P<before>(?:.+\.)?(?:layers|h|blocks|blk)\.)(?P<number>\d+)(?P<after>\..+)")
"""What belongs to a block, whose number is the first in the name; in a GGUF blocks are called blk."""

TOKEN_EMBEDDING = re.compile(r"(?:.+\.)?(?:embed_tokens|wte|embed_in|word_embeddings|tok_embeddings)\.weight")
"""The matrix with a row a token that comes before the blocks."""

HEAD = re.compile(r"(?:.+\.)?(?:lm_head|embed_out|output)\.(?:weight|bias)")
"""The one behind them, where it is not the same."""


def has_token_rows(name: str) -> bool:
    """Whether a tensor of this name has a row a token."""
    return not BLOCK.fullmatch(name) and bool(TOKEN_EMBEDDING.fullmatch(name) or HEAD.fullmatch(name))
