"""One file changed as an enemy, an editor or a failing disk would: by its structure, or by its bytes."""

import json
import os
import random
import re
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.storm.odd import HOSTILE, odd_value, spoil, written

Mutation = Callable[[Path, random.Random], str]
"""Changes the file and says how, so that a failure can be understood."""

NUMBERS = (0, 1, 2, 7, 8, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1)


def mutate(path: Path, secret: Path, draw: random.Random) -> str:
    """secret: a file outside, where links may lead."""
    if draw.random() < 0.12:
        return f"{path.name}: {_another_kind_of_file(path, secret, draw)}"
    mutation = _BY_SUFFIX.get(path.suffix, _bytes)
    return f"{path.parent.name}/{path.name}: {mutation(path, draw)}"


def _another_kind_of_file(path: Path, secret: Path, draw: random.Random) -> str:
    kind = draw.choice(("gone", "empty", "folder", "fifo", "link outside", "dangling", "link to folder", "itself"))
    content = path.read_bytes()
    path.unlink()
    match kind:
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
            (path / "inside").write_bytes(content)
        case "fifo":
            os.mkfifo(path)
        case "link outside":
            path.symlink_to(secret)
        case "dangling":
            path.symlink_to(secret.with_name("nothing"))
        case "link to folder":
            path.symlink_to(secret.parent, target_is_directory=True)
        case "itself":
            path.symlink_to(path.name)
        case _:
            pass
    return kind


def _bytes(path: Path, draw: random.Random) -> str:
    content = bytearray(path.read_bytes())
    at = draw.randrange(max(1, len(content)))
    match draw.choice(("flip", "cut", "insert", "double", "number", "zeros")):
        case "flip" if content:
            content[at] ^= 1 << draw.randrange(8)
            said = f"a bit flipped at {at}"
        case "cut":
            del content[at:]
            said = f"cut at {at}"
        case "double":
            content.extend(bytes(content))
            said = "its bytes twice"
        case "number":
            number = draw.choice(NUMBERS)
            at = draw.randrange(min(256, len(content)) or 1) // 4 * 4
            content[at : at + 8] = struct.pack("<Q", number)
            said = f"{number} at {at}"
        case "zeros":
            content[at : at + 64] = bytes(64)
            said = f"zeros at {at}"
        case _:
            odd = draw.choice((b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\x1b[2J", b"\n\n", b"\xc3"))
            content[at:at] = odd
            said = f"{odd!r} at {at}"
    path.write_bytes(content)
    return said


def _json(path: Path, draw: random.Random) -> str:
    if draw.random() < 0.2:
        return _bytes(path, draw)
    text = path.read_text()
    if draw.random() < 0.08:
        key = draw.choice(re.findall(r'"(\w+)": ', text) or ["a"])
        path.write_text(text.replace("{", f'{{"{key}": {json.dumps(odd_value(draw))}, ', 1))
        return f"the key {key!r} twice"
    document, said = spoil(json.loads(text), draw)
    path.write_text(written(document))
    return said


def _json_lines(path: Path, draw: random.Random) -> str:
    lines = path.read_text().splitlines()
    if not lines or draw.random() < 0.3:
        return _bytes(path, draw)
    at = draw.randrange(len(lines))
    document, said = spoil(json.loads(lines[at]), draw)
    path.write_text("\n".join([*lines[:at], written(document), *lines[at + 1 :]]) + "\n")
    return f"line {at + 1}: {said}"


def _yaml(path: Path, draw: random.Random) -> str:
    text = path.read_text()
    if draw.random() < 0.3:
        at = draw.randrange(len(text))
        odd = draw.choice(
            ("\t", "\x07", "\0", "&a [*a]", "!!python/tuple [1]", "? ", "\n---\n", "{", "\u2028", "*x", "<<: ")
        )
        path.write_text(text[:at] + odd + text[at:])
        return f"{odd!r} at {at}"
    document, said = spoil(yaml.safe_load(text), draw)
    try:
        path.write_text(yaml.safe_dump(document, allow_unicode=draw.random() < 0.5))
    except (yaml.YAMLError, UnicodeError):
        return _bytes(path, draw)
    return said


def _safetensors(path: Path, draw: random.Random) -> str:
    if draw.random() < 0.3:
        return _bytes(path, draw)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, said = spoil(json.loads(content[8 : 8 + length]), draw)
    raw = written(header).encode()
    raw += b" " * (-len(raw) % 8 if draw.random() < 0.8 else 0)
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + content[8 + length :])
    return said


def _gguf(path: Path, draw: random.Random) -> str:
    """A text of it replaced by another of the same length, a number near its beginning, or any bytes."""
    content = path.read_bytes()
    texts = [found.span() for found in re.finditer(rb"[ -~]{4,}", content[:4000])]
    if draw.random() < 0.5 or not texts:
        return _bytes(path, draw)
    start, end = draw.choice(texts)
    odd = draw.choice((*HOSTILE[:6], "\udcff\udcfe")).encode(
        "utf-8", "surrogatepass" if draw.random() < 0.5 else "replace"
    )
    new = (odd * (end - start))[: end - start]
    path.write_bytes(content[:start] + new + content[end:])
    return f"{content[start:end]!r:.60} is {new!r:.60}"


def _database(path: Path, draw: random.Random) -> str:
    """A row edited, removed or moved by hand, with every guard of the database off; or bytes of the file."""
    if draw.random() < 0.15:
        return _bytes(path, draw)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        rows = database.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        triggers = [name for kind, name in rows if kind == "trigger"]
        for name in triggers:
            database.execute(f'DROP TRIGGER "{name}"')
        if draw.random() < 0.08:
            kind, name = draw.choice([row for row in rows if row[0] in ("table", "index")])
            database.execute(f'DROP {kind.upper()} "{name}"')
            return f"{kind} {name} dropped"
        tables = [name for kind, name in rows if kind == "table"]
        filled = [name for name in tables if database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]]
        return _row(database, draw.choice(filled), draw)


def _row(database: sqlite3.Connection, table: str, draw: random.Random) -> str:
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
    ordered = ", ".join(f'"{column}"' for column in columns)
    rows = database.execute(f'SELECT {ordered} FROM "{table}"').fetchall()
    row = draw.choice(rows)
    this = " AND ".join(f'"{column}" IS ?' for column in columns)
    if draw.random() < 0.15:
        database.execute(f'DELETE FROM "{table}" WHERE {this}', row)
        return f"a row of {table} removed"
    column = draw.choice(columns)
    old = row[columns.index(column)]
    for _ in range(20):
        new = draw.choice((*(other[columns.index(column)] for other in rows), *_other(old, draw)))
        try:
            database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {this}', (new, *row))
        except (sqlite3.Error, OverflowError, UnicodeError):
            continue
        if new != old:
            return f"{table}.{column} of a row: {old!r:.60} is {new!r:.60}"
    return _bytes(Path(database.execute("PRAGMA database_list").fetchone()[2]), draw)


def _other(old: object, draw: random.Random) -> tuple[object, ...]:
    plain = (None, -1, 0, 2**62, 1e300, "", "x", b"", b"\xff" * 32, "\x1b[2J", '{"a": ', "[]")
    match old:
        case int():
            return (old + 1, -old, old * 1000, *plain)
        case str():
            return (old[: len(old) // 2], old + "x", old.swapcase(), re.sub(r"\d", "7", old), *plain)
        case bytes():
            return (bytes(len(old)), old[:-1], old[::-1], *plain)
        case _:
            return plain


_BY_SUFFIX: dict[str, Mutation] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".safetensors": _safetensors,
    ".gguf": _gguf,
    ".db": _database,
}
