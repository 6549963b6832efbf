"""Data files as documents: `.jsonl` holds one {"text": ...} a line, any other file of text is one document."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.inside import is_utf8
from lineal.errors import StorageError

_RECORDS = (
    """records, not text: write one {"text": ...} a line into a .jsonl file, or call it .txt to learn it as it is"""
)
_PACKED = "packed or binary, not text: unpack it, or write its texts into a .jsonl file"
_NO_TEXT: Mapping[str, str] = MappingProxyType({
    **dict.fromkeys((".json", ".ndjson", ".csv", ".tsv", ".xml", ".yaml", ".yml"), _RECORDS),
    **dict.fromkeys((".parquet", ".arrow", ".feather", ".npy", ".npz", ".pkl", ".pt", ".bin", ".db"), _PACKED),
    **dict.fromkeys((".gz", ".zip", ".zst", ".bz2", ".xz", ".tar", ".safetensors", ".gguf", ".pdf", ".xlsx"), _PACKED),
})  # fmt: skip
"""What would be learnt letter by letter, punctuation and all, by its suffix."""

Tokens: TypeAlias = NDArray[np.int32]
"""Token ids of a document, or of a part of one."""


def read_documents(path: Path) -> list[str]:
    """The documents of one file, exactly as written; a file without any text, or of records, is refused."""
    if path.suffix.lower() in _NO_TEXT and path.is_file():
        raise StorageError(f"{path}: {_NO_TEXT[path.suffix.lower()]}")
    text = _read_text(path)
    documents = list(_from_lines(path, text)) if path.suffix == ".jsonl" else [text]
    if not any(documents):
        raise StorageError(f"{path}: no text in it")
    return documents


def read_all_documents(paths: Sequence[Path]) -> list[str]:
    """The documents of several files, in the files' order."""
    return [document for path in paths for document in read_documents(path)]


def _read_text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise StorageError(f"{path}: no such data file") from None
    except IsADirectoryError:
        raise StorageError(f"{path}: a folder; a data file is needed") from None
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: not UTF-8 at byte {error.start}") from None
    if "\0" in text:
        raise StorageError(f"{path}: not text, a zero byte stands at character {text.index(chr(0))}")
    return text


def _from_lines(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _text_of(line, f"{path}:{number}")


def _text_of(line: str, place: str) -> str:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{place}: not JSON: {error}") from None
    if not isinstance(record, dict):
        raise StorageError(f'{place}: a JSON object with "text" is needed, got {type(record).__name__}')
    found = cast(dict[str, Any], record).get("text")
    if not isinstance(found, str):
        raise StorageError(f'{place}: "text" must be a string, got {type(found).__name__}')
    if not is_utf8(found):
        raise StorageError(f'{place}: "text" holds half a surrogate pair, which is not a character')
    return found
