"""Which step made a model bad: the suspects between a good model and a bad one, halved with every answer."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, final

from lineal.errors import UsageError
from lineal.lineage.registry import Registry
from lineal.lineage.tables import edges, models
from lineal.lineage.tables.edges import UP
from lineal.lineage.tables.order import Edges

Parents: TypeAlias = Mapping[bytes, Sequence[bytes]]
"""Of every suspect those of its parents that are suspects, too."""


@final
class Bisection:
    """A search over a graph, as in git: what was made from a bad model is bad, what a good one goes back to is good.

    `next` names the model to try, `tell` takes the answer; when one suspect is left it is the culprit, the first bad
    one. A model that cannot be tried is skipped; where only skipped ones are left beside it, the culprit is among them.
    """

    def __init__(self, parents: Parents, bad: bytes) -> None:
        self._parents = parents
        self._suspects = set(parents)
        self._skipped: set[bytes] = set()
        self._bad = bad

    @property
    def suspects(self) -> frozenset[bytes]:
        return frozenset(self._suspects)

    @property
    def bad(self) -> bytes:
        """The earliest model that is known to be bad."""
        return self._bad

    def next(self) -> bytes | None:
        """The untried suspect whose answer leaves the fewest in the worse case; None where there is none."""
        candidates = [model for model in self._suspects if model != self._bad and model not in self._skipped]
        total = len(self._suspects)
        counts = {model: len(self._goes_back_to(model)) for model in candidates}
        return max(candidates, key=lambda model: (min(counts[model], total - counts[model]), model), default=None)

    def tell(self, model: bytes, *, is_bad: bool) -> None:
        """Bad leaves what it goes back to and itself; good clears just these."""
        behind = self._goes_back_to(model)
        self._suspects = behind if is_bad else self._suspects - behind
        if is_bad:
            self._bad = model

    def skip(self, model: bytes) -> None:
        self._skipped.add(model)

    def _goes_back_to(self, model: bytes) -> set[bytes]:
        """Among the suspects, with itself."""
        found, waiting = {model}, [model]
        while waiting:
            for parent in self._parents[waiting.pop()]:
                if parent in self._suspects and parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found


def suspects_between(registry: Registry, good: bytes, bad: bytes) -> Parents:
    """The bad model and all that it goes back to, but not what is the good one or what that goes back to."""
    with registry.reading() as connection:
        start = models.key(connection, bad)
        known: Edges = edges.edges_above(connection, start)
        keys = {start, *known, *(parent for above in known.values() for parent in above)}
        digests = models.hashes(connection, keys)
        cleared = {good, *edges.reachable(connection, models.key(connection, good), UP)}
    if bad in cleared:
        raise UsageError("the good model goes back to the bad one: nothing lies between them")
    suspected = {key for key in keys if digests[key] not in cleared}
    return {
        digests[key]: [digests[parent] for parent in known.get(key, ()) if parent in suspected] for key in suspected
    }
