"""Models as lines of a list: what they are called, and how they were made."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from lineal.errors import UsageError
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import KnownModel, Name
from lineal.lineage.records.wording import summary
from lineal.lineage.registry import Registry
from lineal.lineage.tables import models, names, references, steps
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Listed:
    """made_by: such as `lora r=16`; empty, as the evidence is None, where nobody knows."""

    model: KnownModel
    label: str
    made_by: str = ""
    evidence: Evidence | None = None


@final
@dataclass(frozen=True)
class Entry:
    """A name, what it stands for, and where that is known to lie."""

    name: Name
    model: KnownModel
    places: tuple[Path, ...]


def entries(registry: Registry, family: str | None = None) -> tuple[Entry, ...]:
    """Every name, or those of a family, in the order in which they were first given."""
    with registry.reading() as connection:
        called = names.names(connection, family)
        if family is not None and not called:
            raise UsageError(f"no model belongs to a family {quoted(family)}")
        facts = models.facts(connection, {name.model_hash for name in called})
        places = {digest: models.locations(connection, digest) for digest in facts}
    return tuple(Entry(name, facts[name.model_hash], places[name.model_hash]) for name in called)


def listing(registry: Registry, hashes: Iterable[bytes]) -> tuple[Listed, ...]:
    """The models in the order in which they are asked for, with the step of each that was recorded first."""
    asked = tuple(hashes)
    with registry.reading() as connection:
        facts, labels = models.facts(connection, asked), references.labels(connection, asked)
        made = steps.of_children(connection, asked)
    found: list[Listed] = []
    for digest in asked:
        first = next((record for record in made.get(digest, ()) if not record.reproduces), None)
        told = (summary(first.step), first.evidence) if first else ("", None)
        found.append(Listed(facts[digest], labels[digest], *told))
    return tuple(found)
