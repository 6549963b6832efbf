"""How transformers names tensors, as far as the name alone says where one belongs."""

import re
from collections.abc import Sequence

BLOCK = re.compile(r"(?P<before>(?:.+\.)?(?:layers|h|blocks|blk)\.)(?P<number>\d+)(?P<after>\..+)")
"""What belongs to a block, whose number is the first in the name; in a GGUF blocks are called blk."""

TOKEN_EMBEDDING = re.compile(r"(?:.+\.)?(?:embed_tokens|wte|embed_in|word_embeddings|tok_embeddings)\.weight")
"""The matrix with a row a token that comes before the blocks."""

HEAD = re.compile(r"(?:.+\.)?(?:lm_head|embed_out|output)\.(?:weight|bias)")
"""The one behind them, where it is not the same."""


_BUFFER = re.compile(
    r"(?:.+\.)?(?:(?:original_)?inv_freq|(?:cos|sin)_cached|relative_position_index|masked_bias|causal_mask"
    r"|(?:embeddings\.)?(?:position_ids|token_type_ids)|attn\.embed_positions|embed_positions\.weights)"
)
"""What old checkpoints store although it follows from the config: frequencies, positions, masks."""

_MASK = re.compile(r"(?:.+\.)?(?:attn|attention|crossattention)\.bias")
"""GPT-2's causal mask, [1, 1, positions, positions]; a bias of that name has one dimension."""


def is_derived_buffer(name: str, shape: Sequence[int]) -> bool:
    """Whether a stored tensor is no weight: it is computed anew when the model is built, whatever a file holds."""
    return bool(_BUFFER.fullmatch(name)) or (len(shape) == 4 and shape[0] == 1 and bool(_MASK.fullmatch(name)))


def has_token_rows(name: str) -> bool:
    """Whether a tensor of this name has a row a token."""
    return not BLOCK.fullmatch(name) and bool(TOKEN_EMBEDDING.fullmatch(name) or HEAD.fullmatch(name))
