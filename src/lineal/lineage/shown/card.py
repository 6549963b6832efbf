"""The model card of an output: the Hub's front matter, and how the model was made in words. No local paths."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from lineal.checkpoint.reader import Form
from lineal.derivation.hashes import format_hash
from lineal.lineage.records.licences import front_matter
from lineal.lineage.records.lineal_json import Provenance
from lineal.shown import printable

_PLAIN = re.compile(r"[\w .,:/@+=-]*")
_BACKTICKS = re.compile("`+")
_LIBRARIES: Mapping[Form, str] = {"full": "transformers", "adapter": "peft", "gguf": "gguf"}

_RELATIONS = {"fine-tune": "finetune", "distillation": "finetune", "merge": "merge", "quantize": "quantized"}


def model_card(title: str, provenance: Provenance, hub_ids: Mapping[str, str], licence: str) -> str:
    """Markdown with front matter; hub_ids: the Hub id of each input that has one, by its name; licence: joined."""
    step = provenance.step
    front: dict[str, Any] = {
        "library_name": _LIBRARIES[provenance.form],
        "tags": ["lineal", step.type, step.method],
        **front_matter(licence),
    }
    base_models = [hub_ids[name] for name in provenance.input_names if name in hub_ids]
    if base_models:
        front["base_model"] = base_models if len(base_models) > 1 else base_models[0]
        front["base_model_relation"] = "adapter" if provenance.form == "adapter" else _RELATIONS.get(step.type)
    matter = yaml.safe_dump(front, sort_keys=True, allow_unicode=True)
    return f"---\n{matter}---\n\n# {title}\n\n{_story(provenance)}"


def _story(provenance: Provenance) -> str:
    step, manifest = provenance.step, provenance.hashes.manifest
    lines = [f"Made by lineal: {step.type}, method `{step.method}`.", ""]
    if step.inputs:
        lines += ["| made from | as | model hash |", "|---|---|---|"]
        pairs = zip(provenance.input_names, step.inputs, strict=True)
        lines += [f"| {_cell(name)} | {i.role} | `{format_hash(i.model_hash)}` |" for name, i in pairs]
        lines.append("")
    if step.data:
        lines += ["| data | hash of the file |", "|---|---|"]
        lines += [f"| {_cell(data.name)} | `{format_hash(data.data_hash)}` |" for data in step.data]
        lines.append("")
    lines += ["| option | value |", "|---|---|"]
    lines += [f"| {name} | {_code(str(value))} |" for name, value in step.options.items()]
    lines += [
        "",
        f"Model hash `{format_hash(manifest.model_hash)}`, {provenance.hashes.parameters:,} parameters.",
        "`lineal.json` beside this card holds the full record; `lineal verify` checks it.",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A name in a table: as it is where Markdown sees nothing in it, else as code, in which Markdown sees nothing."""
    return text if _PLAIN.fullmatch(text) else _code(text)


def _code(text: str) -> str:
    """One line of text between more backticks than it has; a bar would end the table's cell even there."""
    shown = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"
