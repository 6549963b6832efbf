"""Policies: what a version of a name, or of any name of a family, must meet to go on to a stage."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from lineal.derivation.canonical import Json, canonical_json
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import row_of
from lineal.lineage.database.seals import sealed
from lineal.lineage.records import licences
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import METRIC
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.tables import journal
from lineal.lineage.tables.names import listed, names
from lineal.shown import quoted

STAGES = (Stage.STAGING, Stage.PRODUCTION)
"""The stages that a version can be kept from."""

_ALL = """
    SELECT family, name AS policy_name, stage, rules AS policy_rules FROM policy ORDER BY family, name, stage
"""
_SET = """
    INSERT INTO policy (family, name, stage, rules) VALUES (:family, :name, :stage, :rules)
    ON CONFLICT (family, name, stage) DO UPDATE SET rules = excluded.rules
"""
_REMOVE = "DELETE FROM policy WHERE family = :family AND name = :name AND stage = :stage"


@final
@dataclass(frozen=True, kw_only=True)
class Policy:
    """least, most: bounds of metrics; evidence: of every edge up to the roots; licences: the only ones allowed."""

    least: Mapping[str, float] = field(default_factory=dict[str, float])
    most: Mapping[str, float] = field(default_factory=dict[str, float])
    evidence: Evidence | None = None
    licences: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for metric, bound in [*self.least.items(), *self.most.items()]:
            if not METRIC.fullmatch(metric) or not math.isfinite(bound):
                raise UsageError(f"policy: {metric}={bound}: a metric's name and a finite bound are needed")
        for metric in sorted(self.least.keys() & self.most.keys()):
            if self.least[metric] > self.most[metric]:
                least, most = self.least[metric], self.most[metric]
                raise UsageError(f"policy: {metric} cannot be at least {least:.10g} and at most {most:.10g}")
        if self.evidence is Evidence.CONTRADICTED:
            raise UsageError("policy: everything is attested better than contradicted; name another grade")
        if not (self.least or self.most or self.evidence or self.licences):
            raise UsageError("policy: it asks for nothing; give a bound, a grade of evidence or licences")

    def to_json(self) -> dict[str, Json]:
        return {
            "min": dict(self.least),
            "max": dict(self.most),
            "evidence": self.evidence.value if self.evidence else None,
            "licences": None if self.licences is None else list(self.licences),
        }

    @classmethod
    def from_json(cls, rules: Mapping[str, Any]) -> "Policy":
        allowed, grade = rules["licences"], rules["evidence"]
        return cls(
            least={metric: float(bound) for metric, bound in rules["min"].items()},
            most={metric: float(bound) for metric, bound in rules["max"].items()},
            evidence=None if grade is None else Evidence(grade),
            licences=None if allowed is None else tuple(allowed),
        )

    def __str__(self) -> str:
        said = [f"{metric} at least {bound:.10g}" for metric, bound in self.least.items()]
        said += [f"{metric} at most {bound:.10g}" for metric, bound in self.most.items()]
        said += [f"evidence {self.evidence.value} or better"] if self.evidence else []
        said += [f"licences {', '.join(self.licences)}"] if self.licences else []
        return "; ".join(said)


@final
@dataclass(frozen=True)
class Subject:
    """What a policy is for: `FAMILY:NAME`, or without a name every name of the family; and a stage."""

    family: str
    name: str
    stage: Stage

    def __str__(self) -> str:
        return f"{self.family}:{self.name}" if self.name else self.family


def allowed_licences(written: str) -> tuple[str, ...]:
    """The identifiers of a list with commas, spelled as they are compared."""
    return tuple(dict.fromkeys(licences.given(one) for one in written.split(",")))


def subject(connection: Connection, reference: str, stage: Stage) -> Subject:
    """A FAMILY or FAMILY:NAME that has models, and a stage that versions go on to."""
    if stage not in STAGES:
        raise UsageError(f"policy: versions go on to {' or '.join(s.value for s in STAGES)}, not to {stage.value}")
    family, _, name = reference.partition(":")
    known = names(connection)
    if not any(one.family == family and name in ("", one.name) for one in known):
        there = listed(dict.fromkeys(one.family for one in known)) or "none"
        raise UsageError(f"policy: no FAMILY or FAMILY:NAME is called {quoted(reference)} (families: {there})")
    return Subject(family, name, stage)


def set_policy(registry: Registry, reference: str, stage: Stage, policy: Policy | None) -> None:
    """Let a policy hold from now on in place of the one before; None takes it away."""
    with registry.writing() as connection:
        about = subject(connection, reference, stage)
        if all_policies(connection).get(about) == policy:
            return
        row = {"family": about.family, "name": about.name, "stage": stage.value}
        rules = None if policy is None else policy.to_json()
        with sealed(connection, ["policy"], [about.family]):
            if rules is None:
                _ = connection.execute(_REMOVE, row)
            else:
                _ = connection.execute(_SET, {**row, "rules": canonical_json(rules).decode()})
            journal.append(connection, {"change": "policy", "name": str(about), "stage": stage.value, "policy": rules})


def all_policies(connection: Connection) -> dict[Subject, Policy]:
    found: dict[Subject, Policy] = {}
    for family, name, stage, rules in connection.execute(_ALL):
        about = Subject(family, name, Stage(stage))
        with row_of("policy", about):
            found[about] = Policy.from_json(json.loads(rules))
    return found


def applying(connection: Connection, family: str, name: str, stage: Stage) -> list[Policy]:
    """Those of the family and of the name: all of them are to be met."""
    known = all_policies(connection)
    return [known[about] for about in (Subject(family, "", stage), Subject(family, name, stage)) if about in known]


def faults(connection: Connection) -> Iterator[str]:
    """Where a policy is not what the journal says last of it."""
    query = 'SELECT content FROM journal WHERE content LIKE \'%"change":"policy"%\' ORDER BY id'
    said: dict[tuple[str, str], str] = {}
    for (content,) in connection.execute(query):
        change: dict[str, Json] = json.loads(content)
        about = str(change.get("name")), str(change.get("stage"))
        _ = said.pop(about, None)
        if change.get("policy") is not None:
            said[about] = canonical_json(change["policy"]).decode()
    standing = {
        (f"{family}:{name}" if name else family, stage): rules
        for family, name, stage, rules in connection.execute(_ALL)
    }
    for about in dict.fromkeys([*said, *standing]):
        if said.get(about) != standing.get(about):
            yield f"{about[0]}: its policy for {about[1]} is not the one that the journal says"
