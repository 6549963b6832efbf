"""What an importance matrix means for a quantization: how each tensor is encoded, what the file says of it."""

from collections.abc import Mapping

from gguf import GGUFValueType

from lineal.checkpoint.codes.ggml import Encoding
from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.errors import CheckpointError
from lineal.shown import listed

UNWEIGHTED = frozenset({"F32", "F16", "BF16", "Q8_0"})
"""Types that are rounded alike, whatever the importances."""

_LONGEST = 127
"""Bytes that llama.cpp keeps of a text."""


def encodings(
    types: Mapping[str, str], tensors: Mapping[str, tuple[int, ...]], importance: ImportanceMatrix | None
) -> dict[str, tuple[Encoding, ...]]:
    """How the tensors with importances are encoded, by GGUF name: one encoding an expert, of others one.

    What is not among them is encoded as without. Raises CheckpointError for the matrix of another model.
    """
    if importance is None:
        return {}
    faults = importance.faults(tensors)
    if faults:
        raise CheckpointError(f"{importance.file}: the importance matrix of another model: {listed(faults)}")
    found: dict[str, tuple[Encoding, ...]] = {}
    for name, shape in tensors.items():
        weights = None if types[name] in UNWEIGHTED else importance.of(name, shape)
        if weights is not None:
            found[name] = tuple(Encoding(importance=row) for row in weights)
    return found


def importance_metadata(importance: ImportanceMatrix | None) -> dict[str, Value]:
    """The keys that llama.cpp's command line writes; names of files without their folders."""
    if importance is None:
        return {}
    texts = {"file": importance.file, "dataset": _bare(importance.datasets[0]) if importance.datasets else ""}
    counts = {"entries_count": len(importance.entries), "chunks_count": importance.chunks}
    return {
        **{f"quantize.imatrix.{key}": Value(GGUFValueType.STRING, _cut(text)) for key, text in texts.items() if text},
        **{f"quantize.imatrix.{key}": Value(GGUFValueType.UINT32, n) for key, n in counts.items() if n},
    }


def _bare(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _cut(text: str) -> str:
    return text.encode(errors="surrogateescape")[:_LONGEST].decode(errors="ignore")
