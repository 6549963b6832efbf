"""The file in which a model's signatures travel: an in-toto bundle, an envelope a line, beside lineal.json."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

from lineal.checkpoint.inside import require_inside
from lineal.checkpoint.reader import is_lone_file
from lineal.errors import CheckpointError
from lineal.lineage.signing.dsse import strict_json

BUNDLE = "lineal.intoto.jsonl"
LARGEST = 16 << 20


def bundle_path(place: Path) -> Path:
    """Where a model's signatures lie: in its folder, or beside the lone file x.gguf as x.gguf.lineal.intoto.jsonl."""
    return place.with_name(f"{place.name}.{BUNDLE}") if is_lone_file(place) else place / BUNDLE


def read_bundle(path: Path) -> list[str]:
    """The envelopes of a file, unread and a line each; one alone may stand there over many lines."""
    content = read_bounded(path, LARGEST, "signatures")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: not a file of signatures: it is not text") from None
    try:
        return [json.dumps(strict_json(text))]
    except ValueError:
        return [line for line in text.split("\n") if line.strip()]


def read_bounded(path: Path, largest: int, what: str) -> bytes:
    """All of a file that is expected to hold `what`; one that is missing or absurdly large is refused."""
    if not path.is_file():
        raise CheckpointError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise CheckpointError(f"{path}: larger than {largest:,} bytes, which no file of {what} is")
    return content


def update_bundle(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Replace the file by what `change` makes of its lines, whole or not at all; writers take turns."""
    require_inside(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        lines = change(read_bundle(path) if path.exists() else [])
        unfinished = path.with_name(f".{path.name}.new")
        with unfinished.open("w", encoding="utf-8") as file:
            file.writelines(f"{line.strip()}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        _ = unfinished.replace(path)
        os.fsync(folder)
    finally:
        os.close(folder)
