"""CPython's own text in parts that share no file: to train on, to calibrate with, to tune on, to be scored on."""

import hashlib
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.append(f"{Path(__file__).parents[1]}")
from examples.demo.gather import code_and_docstrings, source_files, topics, write_documents

PARTS = (("eval", 5), ("calibration", 17), ("finetune", 27), ("base", 100))
"""Each part and the percentile of path hashes at which it ends."""
DOMAINS = ("code", "prose")
_SCORED_BYTES = 48_000
_SALT = b"lineal bench "
"""The demo's parts are other ones: a model of the demo has not been scored on what this one has."""


def write_corpus(folder: Path) -> Mapping[str, str]:
    """base.jsonl, calibration.jsonl, finetune-DOMAIN.jsonl and eval-DOMAIN.jsonl; file name -> SHA-256.

    A document a line. Documents are in the order of their hashes, so that any run of them is a mixture of both domains.
    """
    warnings.simplefilter("ignore")  # the library's own deprecated escapes are not ours to report
    parts = {(part, domain): list[str]() for part, _ in PARTS for domain in DOMAINS}
    seen: set[str] = set()
    for path, domain, text in _documents(Path(sysconfig.get_paths()["stdlib"])):
        if text not in seen:
            seen.add(text)
            parts[_part_of(path), domain].append(text)
    files = {"base.jsonl": parts["base", "code"] + parts["base", "prose"]}
    files["calibration.jsonl"] = parts["calibration", "code"] + parts["calibration", "prose"]
    files |= {f"finetune-{domain}.jsonl": parts["finetune", domain] for domain in DOMAINS}
    files |= {f"eval-{domain}.jsonl": _some_of(parts["eval", domain]) for domain in DOMAINS}
    folder.mkdir(parents=True, exist_ok=True)
    for name, documents in files.items():
        write_documents(folder / name, sorted(documents, key=_hash))
    return hashes(folder)


def hashes(folder: Path) -> Mapping[str, str]:
    """File name -> SHA-256 of every text."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.jsonl"))}


def _documents(library: Path) -> Iterator[tuple[str, str, str]]:
    """(path, domain, text) of every text that is not empty."""
    for name, path in source_files(library):
        try:
            with tokenize.open(path) as file:
                code, docstrings = code_and_docstrings(file.read())
        except (SyntaxError, UnicodeDecodeError):
            continue  # samples of broken source are part of some installations
        if code:
            yield name, "code", f"{code}\n"
        yield from ((name, "prose", f"{text}\n") for text in docstrings)
    yield from ((name, "prose", f"{text}\n") for name, text in topics() if text)


def _part_of(path: str) -> str:
    percentile = int.from_bytes(hashlib.sha256(_SALT + path.encode()).digest()[:8], "big") % 100
    return next(part for part, end in PARTS if percentile < end)


def _some_of(documents: list[str]) -> list[str]:
    """As many whole documents as _SCORED_BYTES hold, spread over all of them."""
    chosen: list[str] = []
    size = 0
    for text in sorted(documents, key=_hash):
        if size + len(text.encode()) <= _SCORED_BYTES:
            chosen.append(text)
            size += len(text.encode())
    return chosen


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
