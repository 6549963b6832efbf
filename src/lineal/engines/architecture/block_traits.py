"""What a block is by its place in the stack, as far as a configuration leaves it to that; and how to say it anew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

Config: TypeAlias = Mapping[str, Any]
Found: TypeAlias = Callable[[Config, int], list[Any]]
"""What each of so many blocks is, by a configuration."""
Said: TypeAlias = Callable[[Sequence[Any]], Mapping[str, Any]]
"""The keys that say so of blocks in any order, as far as they can; None leaves a key out."""

FULL, SLIDING, LINEAR = "full_attention", "sliding_attention", "linear_attention"
DENSE, SPARSE = "dense", "sparse"


@final
@dataclass(frozen=True)
class Trait:
    """Something that follows from a block's place.

    what: for messages; said: None where no keys can say it otherwise; key: of a list with an entry a block.
    """

    what: str
    of: Found
    said: Said | None = None
    key: str | None = None


def listed(key: str, default: Found, *superseded: str, what: str = "the kind of attention") -> Trait:
    """A list with an entry a block; where it is missing, other keys and the place decide, which it supersedes."""

    def of(config: Config, blocks: int) -> list[Any]:
        given = config.get(key)
        return list(given) if given else default(config, blocks)  # Llama 4 takes an empty list for none

    return Trait(what, of, lambda kinds: {key: list(kinds), **dict.fromkeys(superseded)}, key)


def always(kind: Any) -> Found:
    return lambda _, blocks: [kind] * blocks


def last_of(period: int, key: str = "", *, kind: str = FULL, other: str = SLIDING) -> Found:
    """The last of every `period` blocks is of one kind; key: where another period may stand."""
    return lambda config, blocks: [kind if (i + 1) % (config.get(key) or period) == 0 else other for i in range(blocks)]


def first_of(period: int, key: str = "") -> Found:
    """The first of every `period` blocks attends to everything, the others to a window; key: as of `last_of`."""
    return lambda config, blocks: [FULL if i % (config.get(key) or period) == 0 else SLIDING for i in range(blocks)]


def first(key: str = "", default: int = 1) -> Found:
    """So many blocks at the beginning are dense, the others mixtures of experts."""
    return lambda config, blocks: [DENSE if i < (config.get(key, default) or 0) else SPARSE for i in range(blocks)]


def dense_first(key: str, default: int) -> Trait:
    """One number says how many dense blocks there are before the mixtures."""

    def said(kinds: Sequence[Any]) -> Mapping[str, Any]:
        return {key: next((i for i, kind in enumerate(kinds) if kind != DENSE), len(kinds))}

    return Trait("which blocks are mixtures of experts", first(key, default), said)


def sparse_by_step(only: tuple[int, ...] = ()) -> Trait:
    """Mixtures in every step-th block, but for those listed as plain; only: those listed by default."""

    def of(config: Config, blocks: int) -> list[Any]:
        given = config.get("mlp_only_layers")
        plain, step = set(only if given is None else given), config.get("decoder_sparse_step", 1)
        return [DENSE if i in plain or (i + 1) % step else SPARSE for i in range(blocks)]

    def said(kinds: Sequence[Any]) -> Mapping[str, Any]:
        return {"mlp_only_layers": [i for i, kind in enumerate(kinds) if kind == DENSE], "decoder_sparse_step": 1}

    return Trait("which blocks are mixtures of experts", of, said)


def numbered_in(key: str, default: Found, what: str, kind: Any, *superseded: str) -> Trait:
    """A list of the numbers of the blocks that are of a kind."""

    def of(config: Config, blocks: int) -> list[Any]:
        given = config.get(key)
        return default(config, blocks) if given is None else [kind if i in given else None for i in range(blocks)]

    def said(kinds: Sequence[Any]) -> Mapping[str, Any]:
        return {key: [i for i, found in enumerate(kinds) if found == kind], **dict.fromkeys(superseded)}

    return Trait(what, of, said)


def one_or_each(key: str, default: int, what: str) -> Trait:
    """A number for all blocks, or a list with one a block."""

    def of(config: Config, blocks: int) -> list[Any]:
        given = config.get(key, default)
        return list(given) if isinstance(given, list) else [given] * blocks

    return Trait(what, of, lambda kinds: {key: list(kinds)}, key)


def by_place(what: str, of: Found) -> Trait:
    """What no key can say otherwise: a cut must leave it as it is."""
    return Trait(what, of)
