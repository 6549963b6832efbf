"""What the card of a model says of it, as the keys of a GGUF that tell people where it is from."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from gguf import GGUFValueType
from gguf.metadata import Metadata

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.licence.front_matter import read_front_matter
from lineal.checkpoint.package import CARD
from lineal.errors import CheckpointError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_CACHED = re.compile(r"models--(.+?)--(.+)")
"""A model's folder in the Hub's cache, which holds its snapshots."""
_MOST = 100


def hub_id(folder: Path) -> str | None:
    """The Hub's name of a model whose folder is a snapshot in the Hub's cache."""
    found = _CACHED.fullmatch(folder.parent.parent.name) if folder.parent.name == "snapshots" else None
    return None if found is None else f"{found[1]}/{found[2]}"


def card_keys(folder: Path) -> dict[str, Value]:
    """Licence, tags and languages as the card names them, and the models of the Hub that the GGUF is made from."""
    try:
        matter = read_front_matter(folder / CARD)
    except CheckpointError:  # a card is prose, and a broken one says nothing
        matter = {}
    texts = {"general.license.name": matter.get("license_name"), "general.license.link": matter.get("license_link")}
    lists = {
        "general.tags": (*_texts(matter.get("tags")), *_texts(matter.get("pipeline_tag"))),
        "general.languages": (*_texts(matter.get("languages")), *_texts(matter.get("language"))),
    }
    return {
        **{key: Value(GGUFValueType.STRING, text) for key, text in texts.items() if isinstance(text, str) and text},
        **{key: Value(GGUFValueType.ARRAY, said, GGUFValueType.STRING) for key, said in lists.items() if said},
        **_base_models(folder, matter),
    }


def _base_models(folder: Path, matter: Mapping[str, Any]) -> dict[str, Value]:
    """A model of the Hub is what it is made from; of another the models of the Hub that its card names."""
    itself = hub_id(folder)
    named = [name for name in _texts(matter.get("base_model")) if _HUB_ID.fullmatch(name)]
    models = [itself] if itself is not None else named[:_MOST]
    found = {"general.base_model.count": Value(GGUFValueType.UINT32, len(models))} if models else {}
    for place, model in enumerate(models):
        for key, text in _parts(model):
            found[f"general.base_model.{place}.{key}"] = Value(GGUFValueType.STRING, text)
    return found


def _parts(model: str) -> Iterator[tuple[str, str]]:
    name, organization, _, _, version, _ = Metadata.get_model_id_components(model)
    if name is not None:
        yield "name", Metadata.id_to_title(name)
    if organization is not None:
        yield "organization", Metadata.id_to_title(organization)
    if version is not None:
        yield "version", version
    yield "repo_url", f"https://huggingface.co/{model}"


def _texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them; whatever else stands there is left out."""
    texts = cast(list[Any], value if isinstance(value, list) else [value])
    return tuple(dict.fromkeys(text.strip() for text in texts if isinstance(text, str) and text.strip()))
