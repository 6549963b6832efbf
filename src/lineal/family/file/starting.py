"""A family file to start from: the models in a folder, and an example of each derivation."""

import os
import re
from collections.abc import Collection
from itertools import count, islice
from pathlib import Path

import yaml

from lineal.checkpoint.inside import resolved
from lineal.checkpoint.reader import is_lone_file, open_checkpoint
from lineal.errors import CheckpointError
from lineal.family.names import NAME

_FOREIGN = re.compile(r"[^A-Za-z0-9._-]")
_EXAMPLES = """
  # tuned:  {{finetune: {{parent: {first}, method: lora, rank: 16, alpha: 32, data: texts.jsonl}}}}
  # both:   {{merge: {{parents: [{first}, {second}], method: slerp, t: 0.5}}}}
  # small:  {{distill: {{teachers: [{first}], student: {{parent: {first}, layers: 2}}, data: texts.jsonl}}}}
  # lean:   {{prune: {{parent: {first}, sparsity: 0.5}}}}
  # packed: {{quantize: {{parent: {first}, scheme: q8_0}}}}

# evaluate: {{data: {{texts: held-out.txt}}}}
"""


def family_text(folder: Path, base: Path) -> tuple[str, int]:
    """The file's text, and how many models it names; base: the folder that its paths start from."""
    models: dict[str, str] = {}
    for place in _models(folder):
        models[_name(place, models)] = os.path.relpath(place, base)
    first, second = [*models, "one", "another"][:2] if len(models) != 1 else [*models, "another"]
    lines = [f"  {name}: {{original: {{path: {_quoted(path)}}}}}" for name, path in models.items()]
    entries = "\n".join(lines or ["  # one: {original: {path: ./one}}"])
    return f"models:\n{entries}\n{_EXAMPLES.format(first=first, second=second)}", len(models)


def _models(folder: Path) -> list[Path]:
    """The models in a folder, itself one or not; what cannot be read as one is left out."""
    return [place for place in sorted([folder, *folder.iterdir()]) if _is_model(place)]


def _is_model(place: Path) -> bool:
    if place.name.startswith(".") or not (place.is_dir() or is_lone_file(place)):
        return False
    try:
        return open_checkpoint(place).form != "adapter"
    except CheckpointError:
        return False


def _name(place: Path, taken: Collection[str]) -> str:
    """The folder's name as far as it can be one, with a number where another has it already."""
    name = _FOREIGN.sub("-", place.name or resolved(place).name)
    name = name if NAME.fullmatch(name) else f"model-{name.strip('.-_')}"
    numbered = (f"{name}-{number}" for number in count(2))
    return next(free for free in (name, *islice(numbered, len(taken))) if free not in taken)


def _quoted(path: str) -> str:
    return yaml.safe_dump(path, default_flow_style=True, width=10**6).partition("\n")[0]
