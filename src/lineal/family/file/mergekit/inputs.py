"""The models that a recipe names, each once, in the order that its parts refer to."""

from typing import final

from lineal.errors import UsageError
from lineal.family.file.mergekit.references import Named
from lineal.family.file.recipe import Reference


@final
class InputList:
    """Grows as models are named. A model is the base, a parent, or the ground that an adapter stands on."""

    def __init__(self) -> None:
        self._places: dict[Named, int] = {}
        self._base: Named | None = None
        self.grounds: dict[str, None] = {}

    def place(self, named: Named) -> int:
        """The model's place among the inputs."""
        if named.adapter is not None:
            self.grounds[named.model] = None
        return self._places.setdefault(named, len(self._places))

    def make_base(self, named: Named) -> int:
        """The same of the model that task vectors start from; it is one for the whole recipe."""
        if self._base not in (None, named):
            raise UsageError("one base for the whole recipe is supported; slices name others")
        self._base = named
        return self.place(named)

    @property
    def named(self) -> tuple[Named, ...]:
        return tuple(self._places)

    def references(self) -> tuple[Reference, ...]:
        """In order; last the ground of the adapters, where no base is their ground anyway."""
        found = [
            Reference("base" if named == self._base else "parent", named.adapter or named.model)
            for named in self._places
        ]
        grounds = [ground for ground in self.grounds if self._base is None or ground != self._base.model]
        if len(self.grounds) > 1 or (grounds and self._base is not None):
            everything = ", ".join([*self.grounds, *([self._base.model] if self._base else [])])
            raise UsageError(f"the adapters of a recipe must be of one model, its base, got {everything}")
        return (*found, *(Reference("base", ground) for ground in grounds))
