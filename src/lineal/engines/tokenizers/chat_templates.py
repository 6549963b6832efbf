"""A model's chat templates, wherever its folder keeps them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineal.checkpoint.inside import TEMPLATES
from lineal.errors import CheckpointError

DEFAULT = "default"
FILE = "chat_template.jinja"


def chat_templates(folder: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    """Name -> template; files come before `settings`, the tokenizer_config.json, as in transformers."""
    found = {path.stem: _template(path) for path in sorted((folder / TEMPLATES).glob("*.jinja"))}
    if (folder / FILE).is_file():
        found[DEFAULT] = _template(folder / FILE)
    given = settings.get("chat_template")
    if not found and isinstance(given, str):
        found[DEFAULT] = given
    if not found and isinstance(given, list):
        found = {str(entry["name"]): str(entry["template"]) for entry in given}
    return {re.sub("[^A-Za-z0-9]", "_", name): template for name, template in found.items()}


def _template(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
