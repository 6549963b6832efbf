"""A model's chat templates, wherever its folder keeps them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DEFAULT = "default"
FILE = "chat_template.jinja"
_FOLDER = "additional_chat_templates"


def chat_templates(folder: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    """Name -> template; files come before `settings`, the tokenizer_config.json, as in transformers."""
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / _FOLDER).glob("*.jinja"))}
    if (folder / FILE).is_file():
        found[DEFAULT] = (folder / FILE).read_text(encoding="utf-8")
    given = settings.get("chat_template")
    if not found and isinstance(given, str):
        found[DEFAULT] = given
    if not found and isinstance(given, list):
        found = {str(entry["name"]): str(entry["template"]) for entry in given}
    return {re.sub("[^A-Za-z0-9]", "_", name): template for name, template in found.items()}
