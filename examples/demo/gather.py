"""Gathers the demo's texts from CPython's own library: code without its docstrings, and the prose of its documentation.

Every source file goes to exactly one split, chosen by a hash of its path, so that what the fine-tunes and the
evaluation read is unseen by the base. Needs the standard library only.

    python gather.py [FOLDER]     writes base.jsonl, code.jsonl, prose.jsonl, code.eval.txt, prose.eval.txt
"""

import ast
import hashlib
import inspect
import json
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from pydoc_data import topics as reference

EXCLUDED = {
    "__pycache__",
    "dist-packages",
    "encodings",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "turtledemo",
}
SHORTEST_DOCSTRING = 80
EVALUATION_BYTES = 64_000
SPLITS = (("eval", 8), ("finetune", 40), ("base", 100))
"""Each split and the percentile of path hashes at which it ends."""


def split_of(path: str) -> str:
    percentile = int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") % 100
    return next(split for split, end in SPLITS if percentile < end)


def source_files(library: Path) -> Iterator[tuple[str, Path]]:
    """(path within the library, file), in the order of the paths."""
    found = ((path.relative_to(library), path) for path in library.rglob("*.py"))
    kept = (
        (relative.as_posix(), path)
        for relative, path in found
        if not EXCLUDED.intersection(relative.parts) and not relative.name.startswith("_sysconfigdata")
    )
    return iter(sorted(kept))


def code_and_docstrings(source: str) -> tuple[str, list[str]]:
    """The program without docstrings and comments, and the docstrings long enough to be prose."""
    tree = ast.parse(source)
    docstrings: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        if text is None:
            continue
        node.body = node.body[1:] or [ast.Pass()]
        if len(text) >= SHORTEST_DOCSTRING:
            docstrings.append(inspect.cleandoc(text))
    return ast.unparse(tree), docstrings


def topics() -> Iterator[tuple[str, str]]:
    """The chapters of the language reference that `help()` shows."""
    for name in sorted(reference.topics):
        yield f"pydoc_data/topics.py#{name}", reference.topics[name].strip()


def gather(library: Path) -> dict[tuple[str, str], list[str]]:
    """(split, domain) -> documents, each text once."""
    documents: dict[tuple[str, str], list[str]] = {
        (split, kind): [] for split, _ in SPLITS for kind in ("code", "prose")
    }
    seen: set[str] = set()

    def keep(split: str, domain: str, text: str) -> None:
        if text and text not in seen:
            seen.add(text)
            documents[split, domain].append(text + "\n")

    for name, path in source_files(library):
        try:
            with tokenize.open(path) as file:
                code, docstrings = code_and_docstrings(file.read())
        except (SyntaxError, UnicodeDecodeError):
            continue  # samples of broken source are part of some installations
        keep(split_of(name), "code", code)
        for text in docstrings:
            keep(split_of(name), "prose", text)
    for name, text in topics():
        keep(split_of(name), "prose", text)
    return documents


def write_documents(path: Path, documents: list[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in documents)


def write_evaluation(path: Path, documents: list[str]) -> None:
    """Whole documents, spread over all of them, until about EVALUATION_BYTES are reached."""
    chosen: list[str] = []
    size = 0
    for text in sorted(documents, key=lambda text: hashlib.sha256(text.encode()).digest()):
        if size + len(text.encode()) <= EVALUATION_BYTES:
            chosen.append(text)
            size += len(text.encode())
    path.write_text("\n".join(chosen), encoding="utf-8", newline="\n")


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")  # the library's own deprecated escapes are not ours to report
    documents = gather(Path(sysconfig.get_paths()["stdlib"]))
    folder.mkdir(parents=True, exist_ok=True)
    write_documents(folder / "base.jsonl", documents["base", "code"] + documents["base", "prose"])
    for domain in ("code", "prose"):
        write_documents(folder / f"{domain}.jsonl", documents["finetune", domain])
        write_evaluation(folder / f"{domain}.eval.txt", documents["eval", domain])
    for path in sorted(folder.glob("*.jsonl")) + sorted(folder.glob("*.eval.txt")):
        print(f"{path.name:16} {path.stat().st_size / 1e6:6.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "build")
