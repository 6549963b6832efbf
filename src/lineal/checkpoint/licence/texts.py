"""Which licence is stated beside weights: by the model card's front matter, or by texts that are recognised."""

from pathlib import Path
from typing import Any, cast

from lineal.checkpoint.licence.front_matter import read_front_matter
from lineal.checkpoint.licence.stated import StatedLicence
from lineal.checkpoint.package import CARD, licence_paths
from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError

_GGUF_KEY = "general.license"
_LARGEST_TEXT = 1_000_000

_SENTENCES: tuple[tuple[str, str], ...] = (
    ("apache-2.0", "apache license version 2.0, january 2004"),
    ("mit", "permission is hereby granted, free of charge, to any person obtaining a copy of this software and"),
    ("isc", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is"),
    ("bsd", "redistribution and use in source and binary forms, with or without modification, are permitted provided"),
    ("unlicense", "this is free and unencumbered software released into the public domain."),
    ("cc0-1.0", "cc0 1.0 universal"),
    ("gpl-2.0", "gnu general public license version 2, june 1991"),
    ("gpl-3.0", "gnu general public license version 3, 29 june 2007"),
    ("agpl-3.0", "gnu affero general public license version 3, 19 november 2007"),
    ("lgpl-2.1", "gnu lesser general public license version 2.1, february 1999"),
    ("lgpl-3.0", "gnu lesser general public license version 3, 29 june 2007"),
    ("mpl-2.0", "mozilla public license version 2.0 =="),
    ("mpl-2.0", "mozilla public license, version 2.0 1. definitions"),
    ("cc-by-4.0", "creative commons attribution 4.0 international public license"),
    ("cc-by-sa-4.0", "creative commons attribution-sharealike 4.0 international public license"),
    ("cc-by-nc-4.0", "creative commons attribution-noncommercial 4.0 international public license"),
    ("cc-by-nc-sa-4.0", "creative commons attribution-noncommercial-sharealike 4.0 international public license"),
    ("cc-by-nd-4.0", "creative commons attribution-noderivatives 4.0 international public license"),
    ("cc-by-nc-nd-4.0", "creative commons attribution-noncommercial-noderivatives 4.0 international public license"),
    ("llama2", "llama 2 community license agreement"),
    ("llama3", "meta llama 3 community license agreement"),
    ("llama3.1", "llama 3.1 community license agreement"),
    ("llama3.2", "llama 3.2 community license agreement"),
    ("llama3.3", "llama 3.3 community license agreement"),
    ("llama4", "llama 4 community license agreement"),
    ("gemma", "gemma terms of use"),
    ("bigscience-openrail-m", "bigscience open rail-m license"),
    ("creativeml-openrail-m", "creativeml open rail-m"),
)
"""A sentence or title peculiar to each text, in small letters, one space between words."""


def stated_licence(checkpoint: Checkpoint) -> StatedLicence | None:
    """What is stated beside a model, by its card and by its licence texts together; None where nothing is."""
    if checkpoint.form == "gguf":
        key = checkpoint.metadata.get(_GGUF_KEY)
        if key is not None and isinstance(key.content, str) and key.content.strip():
            return StatedLicence(key.content, _GGUF_KEY)
    if checkpoint.lone:
        return None
    carded = card_licence(checkpoint.folder / CARD)
    texts = {path: found for path in licence_paths(checkpoint.folder) if (found := _in(checkpoint.folder / path))}
    said = [*([carded] if carded else []), *(name for found in texts.values() for name in found)]
    if not said:
        return None
    return StatedLicence(" AND ".join(dict.fromkeys(said)), " and ".join([*(["its card"] if carded else []), *texts]))


def card_licence(card: Path) -> str | None:
    """The licence that a model card's front matter names; a card is prose, and without one nothing is said."""
    try:
        matter = read_front_matter(card)
    except CheckpointError:
        return None
    said = matter.get("license")
    if said == "other":
        said = matter.get("license_name")
    each = cast(list[Any], said if isinstance(said, list) else [said])
    named = [one.strip() for one in each if isinstance(one, str) and one.strip()]
    return " AND ".join(named) or None


def recognised(text: str) -> tuple[str, ...]:
    """The licences whose sentences stand in a text, in the order of the table."""
    plain = " ".join(text.lower().split())
    found = [name for name, sentence in _SENTENCES if sentence in plain]
    if "bsd" in found:
        clause = 3 if "neither the name of" in plain else 2
        found[found.index("bsd")] = f"bsd-{clause}-clause"
    return tuple(dict.fromkeys(found))


def _in(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        return recognised(file.read(_LARGEST_TEXT).decode("utf-8", errors="replace"))
