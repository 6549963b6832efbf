"""Where a model may be put: at a place of its own, over nothing but what lineal made there."""

from collections.abc import Iterable
from pathlib import Path

from lineal.checkpoint.inside import resolved
from lineal.checkpoint.reader import is_lone_file
from lineal.errors import UsageError
from lineal.family.build.makers.table import maker_of
from lineal.family.session import LocalModel
from lineal.lineage.records.lineal_json import read_provenance, record_path
from lineal.methods.method import Method


def check_out(out: Path) -> None:
    """Refuse an output named through a link that leads nowhere: what is to come into being there is anyone's guess."""
    if out.is_symlink() and not out.exists():
        raise UsageError(f"{out} is a link that leads nowhere; choose another --out")


def check_target(target: Path, method: Method) -> None:
    """Refuse to put a model where something else lies, or under a name that says that it is something else."""
    if target.is_symlink():
        raise UsageError(f"{target} is a link; name the place itself, or remove the link")
    if target.exists() and not record_path(target).is_file():
        raise UsageError(f"{target} exists and was not made by lineal; choose another --out")
    if is_lone_file(target) and not target.exists():
        _ = read_provenance(target)  # a kill may have left the record alone; what is none must not be written over
    if is_lone_file(target) and maker_of(method).form != "gguf":
        raise UsageError(f"{target}: {method.name} makes a folder; its name must not end in .gguf")


def check_apart(name: str, target: Path, inputs: Iterable[LocalModel]) -> None:
    """Refuse to write a model over or into one of those it is made from: that one would be another model then."""
    for local in inputs:
        place, out = resolved(local.path), resolved(target)
        if place == out:
            raise UsageError(f"{name}: would be written to {target}, where {local.label} lies")
        if not local.checkpoint.lone and out.is_relative_to(place):
            raise UsageError(f"{name}: would be written to {target}, inside the folder of {local.label}")
