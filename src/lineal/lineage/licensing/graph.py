"""Licences joined along a graph: who contributes what to a model, by which way, and what cannot be kept together."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar, final

from lineal.errors import LicenceConflict
from lineal.lineage.records import licence_rules as rules
from lineal.lineage.records.licences import UNKNOWN, identifiers, told
from lineal.shown import printable

_WHAT_TO_DO = "; where their owners agreed to it, record an override with that reason"

K = TypeVar("K", bound=Hashable)


@final
@dataclass(frozen=True)
class Statement:
    """What is said of one model's or data file's own licence; of what nobody says anything, nothing is stated.

    source: where that stands. override: it holds instead of all that the model was made from; because says why.
    """

    licence: str
    source: str
    override: bool = False
    because: str = ""


@final
@dataclass(frozen=True)
class LicensedData:
    """A data file. key: the same for the same file, by whichever model it was used."""

    key: Hashable
    name: str
    statement: Statement | None


@final
@dataclass(frozen=True)
class Licensed(Generic[K]):
    """A model of the graph: its own statement, what it was made from, and the data it was made on."""

    label: str
    statement: Statement | None
    inputs: tuple[K, ...] = ()
    data: tuple[LicensedData, ...] = ()


@final
@dataclass(frozen=True)
class Contribution:
    """path: labels, from the model that was asked about to the one that contributes."""

    path: tuple[str, ...]
    licence: str
    source: str

    def __str__(self) -> str:
        return f"{' <- '.join(map(printable, self.path))} is {told(self.licence)}"


@final
@dataclass(frozen=True)
class Conflict:
    """One contribution that allows no derivation, or two that cannot be kept together."""

    between: tuple[Contribution, ...]
    reason: str

    def __str__(self) -> str:
        model = printable(self.between[0].path[0])
        return f"{model}: licence conflict: {', '.join(map(str, self.between))}: {self.reason}"


@final
@dataclass(frozen=True)
class Judgement:
    """A model's effective licence. override: the statement that holds instead of everything else, if there is one."""

    contributions: tuple[Contribution, ...]
    conflicts: tuple[Conflict, ...]
    override: Statement | None = None

    @property
    def joined(self) -> str:
        return rules.joined(contribution.licence for contribution in self.contributions)

    @property
    def unknown(self) -> tuple[Contribution, ...]:
        return tuple(one for one in self.contributions if one.licence == UNKNOWN)


def judge(start: K, look: Callable[[K], Licensed[K]]) -> Judgement:
    """Join the licences of a model, of everything above it, and of their data; nearest first, each of them once."""
    first = look(start)
    found: list[Contribution] = []
    waiting = deque([_Way(first, None)])
    seen: set[Hashable] = {start}
    while waiting:
        way = waiting.popleft()
        model = way.model
        if model.statement is not None or not (model.inputs or model.data):  # what was made need not state anything
            found += _stated(model.statement, way.labels())
        if model.statement and model.statement.override:
            continue
        for file in model.data:
            if file.key not in seen:
                seen.add(file.key)
                found += _stated(file.statement, (*way.labels(), file.name))
        for above in model.inputs:
            if above not in seen:
                seen.add(above)
                waiting.append(_Way(look(above), way))
    override = first.statement if first.statement and first.statement.override else None
    return Judgement(tuple(found), tuple(_conflicts(found)), override)


def refuse_conflicts(judgements: Iterable[Judgement]) -> None:
    """All conflicts at once; one that lies above several models is told of the first."""
    told_of: set[tuple[str, ...]] = set()
    lines: list[str] = []
    for judgement in judgements:
        for conflict in judgement.conflicts:
            ends = tuple(f"{one.path[-1]} {one.licence}" for one in conflict.between)
            if ends not in told_of:
                told_of.add(ends)
                lines.append(str(conflict))
    if lines:
        raise LicenceConflict(*lines[:-1], lines[-1] + _WHAT_TO_DO)


@final
@dataclass(frozen=True)
class _Way(Generic[K]):
    """A model, and the one below it by which it was reached."""

    model: Licensed[K]
    below: "_Way[K] | None"

    def labels(self) -> tuple[str, ...]:
        """From the model that was asked about up to this one."""
        found: list[str] = []
        way: _Way[K] | None = self
        while way is not None:
            found.append(way.model.label)
            way = way.below
        return tuple(reversed(found))


def _stated(statement: Statement | None, path: tuple[str, ...]) -> list[Contribution]:
    if statement is None:
        return [Contribution(path, UNKNOWN, "said by nobody")]
    return [Contribution(path, licence, statement.source) for licence in identifiers(statement.licence)]


def _conflicts(found: Iterable[Contribution]) -> Iterable[Conflict]:
    nearest = {contribution.licence: contribution for contribution in reversed(list(found))}
    for contribution in found:
        if len(contribution.path) > 1 and rules.forbids_derivatives(contribution.licence):
            yield Conflict((contribution,), "it allows no derivatives")
    for one, other in combinations(reversed(nearest.values()), 2):
        reason = rules.clash(one.licence, other.licence)
        if reason:
            yield Conflict((one, other), reason)
