"""How models get their FAMILY:NAME: as told, or from their folder or file and the folder around it."""

import re
from pathlib import Path

from lineal.checkpoint.inside import resolved
from lineal.derivation.hashes import HASH_LENGTH
from lineal.errors import UsageError
from lineal.lineage.records.records import Name
from lineal.shown import quoted

NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]*")

_LONGEST = 255
DEFAULT_FAMILY = "models"
"""The family of a model whose surrounding folder's name cannot be one."""


def parse_name(text: str) -> Name:
    """NAME or FAMILY:NAME; the model is still to be filled in."""
    family, _, name = text.rpartition(":")
    return _checked(family or DEFAULT_FAMILY, name, text)


def name_of_folder(folder: Path) -> Name:
    """The folder's name in the family of the folder around it; a file keeps its suffix, and so a name of its own."""
    target = resolved(folder)
    family = target.parent.name if NAME.fullmatch(target.parent.name) else DEFAULT_FAMILY
    return _checked(family, target.name, str(folder))


def is_path(reference: str) -> bool:
    """Whether a reference to a model is a path: it contains a / or is a dot."""
    return "/" in reference or reference in (".", "..")


def _checked(family: str, name: str, written: str) -> Name:
    if not NAME.fullmatch(family) or not NAME.fullmatch(name):
        raise UsageError(
            f"{quoted(written[:200])}: a name has letters, digits, . _ - only and begins with a letter or digit"
        )
    if len(f"{family}:{name}") > _LONGEST:
        raise UsageError(f"{quoted(written[:80])}...: a name of {len(written)} characters; at most {_LONGEST}")
    return Name(family, name, bytes(HASH_LENGTH))
