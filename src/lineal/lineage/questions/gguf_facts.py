"""What a GGUF is beside its tensors' bytes: their types, its architecture and its vocabulary."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from lineal.checkpoint.content.identity import Manifest
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError


@final
@dataclass(frozen=True)
class GgufFacts:
    """types: how many tensors are of each, the most frequent first; the others None where the file is not here."""

    types: Mapping[str, int]
    architecture: str | None = None
    vocabulary: int | None = None


def gguf_facts(manifest: Manifest, places: Iterable[Path]) -> GgufFacts:
    """Types as they were hashed; what stands in the header from the first place where it can be read."""
    types = dict(Counter(leaf.dtype for leaf in manifest.leaves).most_common())
    for place in places:
        try:
            metadata = open_checkpoint(place).metadata
        except CheckpointError:
            continue
        architecture, tokens = metadata.get("general.architecture"), metadata.get("tokenizer.ggml.tokens")
        words = len(tokens.content) if tokens is not None and isinstance(tokens.content, tuple) else None
        return GgufFacts(types, None if architecture is None else str(architecture.content), words)
    return GgufFacts(types)
