"""Models as lines of a list: what they are called, and how they were made."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from lineal.lineage import models, references, steps
from lineal.lineage.evidence import Evidence
from lineal.lineage.records import KnownModel
from lineal.lineage.registry import Registry
from lineal.lineage.wording import summary


@final
@dataclass(frozen=True)
class Listed:
    """made_by: such as `lora r=16`; empty, as the evidence is None, where nobody knows."""

    model: KnownModel
    label: str
    made_by: str = ""
    evidence: Evidence | None = None


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
