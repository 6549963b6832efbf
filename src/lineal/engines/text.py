"""Data files as documents: `.jsonl` holds one {"text": ...} a line, any other file is one document."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from lineal.errors import StorageError

Tokens: TypeAlias = NDArray[np.int32]
"""Token ids of a document, or of a part of one."""


def read_documents(path: Path) -> list[str]:
    """The documents of one file, exactly as written; a file without any text is refused."""
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
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise StorageError(f"{path}: no such data file") from None
    except IsADirectoryError:
        raise StorageError(f"{path}: a folder; a data file is needed") from None
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: not UTF-8 at byte {error.start}") from None


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
    return found
