"""From published tensors back to stored ones: what a child in another layout is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Protocol, final

from lineal.checkpoint.layouts.known import Layout
from lineal.checkpoint.layouts.rules import Joined, Renamed, Stacked, Turned
from lineal.checkpoint.layouts.turn import Turn, paired, transposed
from lineal.checkpoint.layouts.views import Facts, joined_heights
from lineal.errors import CheckpointError
from lineal.shown import quoted


class Shaped(Protocol):
    """A tensor, as far as it says what it is."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


@final
@dataclass(frozen=True)
class StoredTensor:
    """A tensor of another layout.

    parts: the published ones whose elements follow each other in it; turn: of its only part, from the published order.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    parts: tuple[str, ...]
    turn: Turn | None = None


def stored_as(
    published: Iterable[Shaped], layouts: Sequence[Layout], config: Mapping[str, Any], label: str
) -> list[StoredTensor]:
    """The tensors of a model that is to be stored so, in the order of its published ones.

    config: the model's; label: the model, for errors. Raises CheckpointError, which names tensors, where experts are
    missing, and where those that stand in one tensor are of several dtypes or shapes.
    """
    found: dict[str, StoredTensor | _Group] = {}
    for tensor in published:
        stored = _stored_name(tensor.name, layouts)
        by = next((hit for layout in layouts if (hit := layout.published(tensor.name)) is not None), None)
        if by is None or isinstance(by.rule, Renamed):
            found[stored] = StoredTensor(stored, tensor.dtype, tensor.shape, (tensor.name,))
        elif isinstance(by.rule, Turned):
            found[stored] = _turned_back(stored, by.rule, tensor)
        else:
            assert isinstance(by.rule, Stacked | Joined)  # a start of names is no rule about one name
            group = found.setdefault(stored, _Group(stored, by.rule, by.before))
            assert isinstance(group, _Group)
            group.parts[by.expert, by.place] = tensor
    facts = Facts(config, label, {})
    return [one.whole(facts, layouts) if isinstance(one, _Group) else one for one in found.values()]


def _stored_name(name: str, layouts: Sequence[Layout]) -> str:
    for layout in layouts:
        by, start = layout.published(name), layout.start_of_published(name)
        if by is not None:
            name = by.before + by.rule.stored
        if start is not None:
            name = start.stored + name.removeprefix(start.published)
    return name


def _turned_back(stored: str, rule: Turned, tensor: Shaped) -> StoredTensor:
    experts, first, second = tensor.shape
    if rule.order == "transposed":
        return StoredTensor(stored, tensor.dtype, (experts, second, first), (tensor.name,), transposed(first, second))
    return StoredTensor(stored, tensor.dtype, tensor.shape, (tensor.name,), paired(first // 2, second).back)


@final
@dataclass
class _Group:
    """Published tensors that stand in one: by expert, and by place among those of an expert.

    before: what their names begin with.
    """

    stored: str
    rule: Stacked | Joined
    before: str
    parts: dict[tuple[int, int], Shaped] = field(default_factory=dict[tuple[int, int], Shaped])

    def whole(self, facts: Facts, layouts: Sequence[Layout]) -> StoredTensor:
        kinds = len(self.rule.published)
        experts = facts.experts or max(expert for expert, _ in self.parts) + 1 if isinstance(self.rule, Stacked) else 1
        wanted = ((expert, place) for expert in range(experts) for place in range(kinds))  # a name may say a billion
        some = next(iter(self.parts.values()))
        missing = next((one for one in wanted if one not in self.parts), None)
        if missing is not None or len(self.parts) > experts * kinds:
            raise CheckpointError(f"{facts.label}: {self._not_whole(missing, experts, some.name)}")
        parts = [part for _, part in sorted(self.parts.items(), key=itemgetter(0))]
        return StoredTensor(self.stored, some.dtype, self._shape(parts, experts, facts), tuple(p.name for p in parts))

    def _not_whole(self, missing: tuple[int, int] | None, experts: int, some: str) -> str:
        if missing is None:
            return f"holds {quoted(max(p.name for p in self.parts.values()))}, its config says {experts} experts"
        expert, place = missing
        name = self.before + self.rule.published[place].replace("*", str(expert))
        return (
            f"{quoted(name)} is missing beside {quoted(some)}, with which it would be stored in {quoted(self.stored)}"
        )

    def _shape(self, parts: Sequence[Shaped], experts: int, facts: Facts) -> tuple[int, ...]:
        first = parts[0]
        for other in parts:
            alike = other.shape[1:] == first.shape[1:] if isinstance(self.rule, Joined) else other.shape == first.shape
            if other.dtype != first.dtype or not alike:
                raise CheckpointError(
                    f"{facts.label}: {quoted(first.name)} is {first.dtype} {list(first.shape)}, {quoted(other.name)} "
                    f"{other.dtype} {list(other.shape)}; both would be stored in {quoted(self.stored)}"
                )
        rows = sum(part.shape[0] for part in parts)
        if isinstance(self.rule, Stacked):
            return (experts, rows // experts, *first.shape[1:])
        shape = (rows, *first.shape[1:])
        heights = joined_heights(self.rule, shape, facts.config)
        if heights is None or [part.shape[0] for part in parts] != list(heights):
            raise facts.refuse(self.stored, shape, "the heights of what it is made of are not what its config says")
        return shape
