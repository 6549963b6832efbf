"""The numbers of a language model that its shapes and its arithmetic depend on, whatever its architecture."""

from dataclasses import dataclass
from typing import Any, final

from lineal.engines.gguf.rotary import Rotary


@final
@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """What an architecture does not have is 0 or None.

    biases: config.json's words for the layers that have some; expert_feed_forward: rows of one expert, where that is
    said apart from those of a dense block; window: tokens that a layer with a window attends to; attention_cap,
    final_cap: what bounds scores and logits; tied: the embedding makes the logits, too.
    """

    context: int
    width: int
    feed_forward: int
    blocks: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    epsilon: float
    rotary: Rotary
    tied: bool
    biases: frozenset[str] = frozenset()
    experts: int = 0
    experts_used: int = 0
    expert_feed_forward: int = 0
    shared_feed_forward: int = 0
    window: int | None = None
    attention_cap: float | None = None
    final_cap: float | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """By the names that a table of tensors calls them."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "one": 1,
            "width": self.width,
            "queries": queries,
            "keys": keys,
            "joined": queries + 2 * keys,
            "head": self.head_size,
            "ahead": self.feed_forward,
            "twice_ahead": 2 * self.feed_forward,
            "experts": self.experts,
            "expert_ahead": self.expert_feed_forward,
            "shared_ahead": self.shared_feed_forward,
        }

    @property
    def rotary_size(self) -> int:
        """Rows of a head that rotary embeddings turn."""
        return int(self.head_size * self.rotary.share)

    def value(self, field: str) -> Any:
        """One of them by its name."""
        return getattr(self, field)
