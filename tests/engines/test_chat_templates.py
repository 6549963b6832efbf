"""Chat templates are found where transformers finds them."""

from pathlib import Path
from typing import Any

import pytest

from lineal.engines.tokenizers.chat_templates import chat_templates


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, {}),
        ({"chat_template": "{{ x }}"}, {"default": "{{ x }}"}),
        (
            {"chat_template": [{"name": "default", "template": "a"}, {"name": "tool-use", "template": "b"}]},
            {"default": "a", "tool_use": "b"},
        ),
    ],
)
def test_the_settings_hold_one_or_several(tmp_path: Path, settings: dict[str, Any], found: dict[str, str]) -> None:
    assert chat_templates(tmp_path, settings) == found


def test_files_come_before_the_settings(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("é")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("r")
    assert chat_templates(tmp_path, {"chat_template": "old"}) == {"default": "é", "rag": "r"}
