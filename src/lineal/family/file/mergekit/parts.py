"""`models`, `slices` or `modules` of a recipe -> its parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

from lineal.errors import UsageError
from lineal.family.file.located_yaml import Faults, KeyPath
from lineal.family.file.mergekit.inputs import InputList
from lineal.family.file.mergekit.references import Named, References
from lineal.family.file.mergekit.settings import ParameterReader
from lineal.methods.recipe.recipe import Blocks, Part, Stretch
from lineal.methods.recipe.settings import Setting
from lineal.shown import quoted

Body: TypeAlias = Mapping[str, Any]

FORMS = ("models", "slices", "modules")
_SLICE_KEYS = ("sources", "parameters", "base_model")
_SOURCE_KEYS = ("model", "layer_range", "parameters")
_MODEL_KEYS = ("model", "parameters")


@final
@dataclass(frozen=True)
class PartReader:
    """Reads parts of models that `inputs` collects."""

    faults: Faults
    references: References
    inputs: InputList
    parameters: ParameterReader

    def read(self, body: Body, keys: KeyPath, base: Named | None) -> list[Part]:
        """What one of the forms says; base: of the whole recipe."""
        forms = [form for form in FORMS if body.get(form)]
        if len(forms) != 1:
            found = ", ".join(forms) or "none"
            self.faults.add(keys, f"exactly one of {', '.join(FORMS)} is needed, got {found}")
            return []
        (form,), at = forms, (*keys, forms[0])
        if form == "modules":
            return self._only_module(body[form], at, base)
        if form == "models":
            return self._models(body[form], at, base)
        found = (self._slice(entry, where, base) for entry, where in self._entries(body[form], at, form))
        return [part for part in found if part is not None]

    def _only_module(self, written: Any, keys: KeyPath, base: Named | None) -> list[Part]:
        modules = self.faults.mapping(written, keys, "modules")
        if len(modules) != 1:
            self.faults.add(keys, f"one module is supported, got {', '.join(modules) or 'none'}")
            return []
        ((name, definition),) = modules.items()
        at = (*keys, name)
        body = self.faults.mapping(definition, at, f"modules: {name}")
        self.faults.unknown_keys(body, at, FORMS[:2])
        return self.read(body, at, base)

    def _models(self, written: Any, keys: KeyPath, base: Named | None) -> list[Part]:
        """One part of whole models. A base that is not listed takes part, too, unless one model is handed on."""
        found: list[tuple[Named, Stretch]] = []
        for entry, at in self._entries(written, keys, "models"):
            self.faults.unknown_keys(entry, at, _MODEL_KEYS)
            found += self._stretch(entry, at, None)
        if base is not None and base not in dict(found) and self.parameters.method.name != "passthrough":
            found.append((base, Stretch(model=self.inputs.index_of(base))))
        part = self.faults.attempt(keys, lambda: self._part(found, base, {}))
        return [part] if part else []

    def _slice(self, entry: Body, keys: KeyPath, base: Named | None) -> Part | None:
        self.faults.unknown_keys(entry, keys, _SLICE_KEYS)
        if entry.get("base_model") is not None:
            base = self.references.read(entry["base_model"], (*keys, "base_model"))
        found: list[tuple[Named, Stretch]] = []
        for source, at in self._entries(entry.get("sources"), (*keys, "sources"), "sources"):
            self.faults.unknown_keys(source, at, _SOURCE_KEYS)
            where = (*at, "layer_range")
            blocks = self.faults.attempt(where, lambda source=source: _blocks(source.get("layer_range")))
            if blocks is not None:
                found += self._stretch(source, at, blocks)
        options = self.parameters.read(entry.get("parameters"), (*keys, "parameters"))
        return self.faults.attempt(keys, lambda: self._part(found, base, options)) if found else None

    def _stretch(self, entry: Body, keys: KeyPath, blocks: Blocks | None) -> list[tuple[Named, Stretch]]:
        """What an entry says of its model; nothing after a fault."""
        named = self.references.read(entry.get("model"), (*keys, "model"))
        options = self.parameters.read(entry.get("parameters"), (*keys, "parameters"))
        if named is None:
            return []
        model = self.inputs.index_of(named)
        stretch = self.faults.attempt(keys, lambda: Stretch(model=model, blocks=blocks, options=options))
        return [(named, stretch)] if stretch else []

    def _part(self, found: Sequence[tuple[Named, Stretch]], base: Named | None, options: Mapping[str, Setting]) -> Part:
        """The base is set apart where the method has one; without options, since those of a base mean nothing."""
        method = self.parameters.method
        if not method.uses_base:
            from_base = sorted(found, key=lambda one: one[0] != base) if method.name == "slerp" else found
            return Part(models=tuple(stretch for _, stretch in from_base), options=options)
        if base is None:
            return Part(models=tuple(stretch for _, stretch in found), options=options)
        of_base = [stretch for named, stretch in found if named == base]
        if len(of_base) != 1:
            raise UsageError(f"the base {base.model} must be among the sources once, and is {len(of_base)} times")
        origin = Stretch(model=self.inputs.make_base(base), blocks=of_base[0].blocks)
        return Part(models=tuple(s for named, s in found if named != base), base=origin, options=options)

    def _entries(self, written: Any, keys: KeyPath, what: str) -> Iterator[tuple[Body, KeyPath]]:
        if not isinstance(written, list) or not written:
            self.faults.add(keys, f"{what} must be a list, got {quoted(written)}")
            return
        for index, entry in enumerate(cast(list[Any], written)):
            yield self.faults.mapping(entry, (*keys, index), f"an entry of {what}"), (*keys, index)


def _blocks(written: Any) -> Blocks:
    found = cast(list[Any], written) if isinstance(written, list) else []
    if len(found) != 2 or not all(type(end) is int for end in found):
        raise UsageError(f"layer_range must be [FIRST, LAST), two whole numbers, got {quoted(written)}")
    return found[0], found[1]
