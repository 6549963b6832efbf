"""The models that a recipe names, each once, in the order that its parts refer to."""

from typing import final

from lineal.errors import UsageError
from lineal.family.file.mergekit.references import Named
from lineal.family.file.recipe import Reference


@final
class InputList:
    """Grows as models are named. A model is the base, a parent, or the base of an adapter."""

    def __init__(self) -> None:
        self._indices: dict[Named, int] = {}
        self._base: Named | None = None
        self.adapter_bases: dict[str, None] = {}

    def index_of(self, named: Named) -> int:
        """The model's place among the inputs."""
        if named.adapter is not None:
            self.adapter_bases[named.model] = None
        return self._indices.setdefault(named, len(self._indices))

    def make_base(self, named: Named) -> int:
        """The place among the inputs of the model that task vectors start from; it is one for the whole recipe."""
        if self._base not in (None, named):
            raise UsageError("one base for the whole recipe is supported; slices name others")
        self._base = named
        return self.index_of(named)

    @property
    def named(self) -> tuple[Named, ...]:
        return tuple(self._indices)

    def references(self) -> tuple[Reference, ...]:
        """In order; last the base of the adapters, where the merge has none."""
        found = [
            Reference("base" if named == self._base else "parent", named.adapter or named.model)
            for named in self._indices
        ]
        adapter_bases = [base for base in self.adapter_bases if self._base is None or base != self._base.model]
        if len(self.adapter_bases) > 1 or (adapter_bases and self._base is not None):
            everything = ", ".join([*self.adapter_bases, *([self._base.model] if self._base else [])])
            raise UsageError(f"the adapters of a recipe must be of one model, its base, got {everything}")
        return (*found, *(Reference("base", base) for base in adapter_bases))
