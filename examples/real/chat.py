"""A conversation as the model's own chat template writes it."""

import json
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment


def prompt(folder: Path, question: str) -> str:
    """The question of a user, and the beginning of the answer; rendered as transformers does."""
    template = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["chat_template"]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    messages = [{"role": "user", "content": question}]
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True)
