"""What travels beside the weights: config, tokenizer, chat template, code, licence."""

import json
import math
import re
import shutil
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from blake3 import blake3

from lineal.checkpoint.inside import MODULES, TEMPLATES, files_directly_in, regular_files
from lineal.checkpoint.reader import read_json
from lineal.derivation.canonical import canonical_json
from lineal.errors import CheckpointError, DerivationError
from lineal.shown import quoted

CONFIGS = ("config.json", "generation_config.json", "adapter_config.json")
"""Hashed as canonical JSON without what libraries stamp into them; every other entry byte for byte."""

STAMPS = frozenset({"transformers_version", "_name_or_path", "base_model_name_or_path", "revision"})

CARD = "README.md"

_CHAT_TEMPLATES = ("chat_template.*", f"{TEMPLATES}/*")
_TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece*.model",
    *_CHAT_TEMPLATES,
)
_BESIDE_TOKENIZER = frozenset({"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"})
"""Of those the ones that hold no vocabulary."""

_PACKAGE = (
    *CONFIGS,
    *_TOKENIZER,
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "*.py",
)
_SENTENCES = ("modules.json", "sentence_*_config.json", "config_sentence_transformers.json", f"{MODULES}/config.json")
"""How sentence-transformers makes one vector of a text; without them it pools by a rule of its own."""
_LICENCE = re.compile(r"(licen[cs]e|notice|copying)", re.IGNORECASE)


def package_paths(folder: Path) -> tuple[str, ...]:
    """The files that belong to the model's identity, as sorted POSIX paths relative to the folder."""
    found = (path.relative_to(folder).as_posix() for path in regular_files(folder))
    return tuple(sorted((path for path in found if any(fnmatch(path, rule) for rule in _PACKAGE)), key=str.encode))


def tokenizer_paths(folder: Path) -> tuple[str, ...]:
    """Those of them that make up the tokenizer, its chat templates included."""
    return tuple(path for path in package_paths(folder) if any(fnmatch(path, rule) for rule in _TOKENIZER))


def has_tokenizer(folder: Path) -> bool:
    """Whether one of them holds a vocabulary, of whatever kind: settings and templates alone tokenize nothing."""
    return any(path not in _BESIDE_TOKENIZER and not is_chat_template(path) for path in tokenizer_paths(folder))


def is_chat_template(path: str) -> bool:
    """Whether a package entry is a chat template in a file of its own."""
    return any(fnmatch(path, rule) for rule in _CHAT_TEMPLATES)


def licence_paths(folder: Path) -> tuple[str, ...]:
    """LICENSE, NOTICE and their like: they travel, and have a hash of their own."""
    return tuple(sorted(path.name for path in files_directly_in(folder) if _LICENCE.match(path.name)))


def companion_paths(folder: Path) -> tuple[str, ...]:
    """What sentence-transformers reads beside the package: it travels, and is no part of the model's identity."""
    found = (path.relative_to(folder).as_posix() for path in regular_files(folder))
    return tuple(sorted(path for path in found if any(fnmatch(path, rule) for rule in _SENTENCES)))


def content_hash(folder: Path, path: str) -> bytes:
    """The hash of a package entry's meaning: of its canonical JSON for a config, else of its bytes."""
    if path in CONFIGS:
        return blake3(_canonical_config(folder / path)).digest()
    return blake3((folder / path).read_bytes()).digest()


def edited_hash(path: str, content: bytes) -> bytes:
    """`content_hash` of an entry that is not on disk but is to be written."""
    return blake3(canonical_json(_meaning(json.loads(content))) if path in CONFIGS else content).digest()


def config_content(config: Mapping[str, Any]) -> bytes:
    """A configuration as a file's content."""
    return (json.dumps(config, indent=2) + "\n").encode()


def _canonical_config(path: Path) -> bytes:
    config = read_json(path)
    try:
        return canonical_json(_meaning(config))
    except (DerivationError, RecursionError) as error:
        raise CheckpointError(f"{path}: has no canonical form: {error}") from None


def licence_hash(folder: Path) -> bytes | None:
    """One hash over all licence files, names included; None where there is none."""
    paths = licence_paths(folder)
    if not paths:
        return None
    return blake3(canonical_json([[path, blake3((folder / path).read_bytes()).hexdigest()] for path in paths])).digest()


def copy_package(donor: Path, folder: Path, *, without: Iterable[str] = ()) -> None:
    """Copy the donor's package, its companions and its licence files byte for byte."""
    left_out = frozenset(without)
    for path in (*package_paths(donor), *companion_paths(donor), *licence_paths(donor)):
        if path not in left_out:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(donor / path, folder / path)


def copy_licence(donor: Path, folder: Path) -> None:
    """Copy the licence files alone."""
    for path in licence_paths(donor):
        shutil.copyfile(donor / path, folder / path)


def _meaning(value: Any) -> Any:
    """A config without stamps; what JSON numbers cannot hold (Infinity in some configs) as strings."""
    if isinstance(value, dict):
        return {str(key): _meaning(item) for key, item in value.items() if key not in STAMPS}
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def vocabulary(folder: Path) -> dict[str, int] | None:
    """Token -> id of tokenizer.json, added tokens included; None where the folder has no such file."""
    if not (folder / "tokenizer.json").is_file():
        return None
    tokenizer = read_json(folder / "tokenizer.json")
    try:
        table = tokenizer["model"]["vocab"]
        if isinstance(table, list):  # Unigram: [[piece, score], ...] in the order of ids
            table = {entry[0]: index for index, entry in enumerate(table)}
        added = {entry["content"]: entry["id"] for entry in tokenizer.get("added_tokens") or ()}
        return {str(token): int(index) for token, index in {**table, **added}.items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{folder / 'tokenizer.json'}: no vocabulary in model.vocab: {quoted(error)}") from None
