"""The `parameters` of a recipe, at every level, as lineal's options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from lineal.errors import MethodError
from lineal.family.file.located_yaml import Faults, KeyPath
from lineal.family.file.mergekit.parameters import Parameter, parameters_of
from lineal.family.file.mergekit.values import read_setting
from lineal.methods.method import nearest
from lineal.methods.recipe.settings import Rule, Setting
from lineal.methods.streaming import StreamingMethod
from lineal.shown import quoted

_ALWAYS = (Rule(value=True),)


@final
@dataclass
class ParameterReader:
    """Reads parameters of one method, and knows where each option stands."""

    method: type[StreamingMethod]
    faults: Faults
    places: dict[str, KeyPath] = field(default_factory=dict[str, KeyPath])

    def read(self, written: Any, keys: KeyPath) -> dict[str, Setting]:
        """lineal's name of each option -> its rules; every fault is told at its line."""
        found: dict[str, Setting] = {}
        if written is None:  # a key with nothing behind it
            return found
        for key, value in self.faults.mapping(written, keys, "parameters").items():
            at = (*keys, key)
            parameter = self.faults.attempt(at, lambda key=key: self._parameter(key))
            setting = self.faults.attempt(at, lambda value=value: read_setting(value))
            if parameter and setting and parameter.option:
                found[parameter.option] = setting
                self.places.setdefault(parameter.option, at)
        return found

    def with_defaults(self, options: Mapping[str, Setting]) -> dict[str, Setting]:
        """The options of all models, with what mergekit takes where lineal would take something else."""
        known = parameters_of(self.method).values()
        defaults = {p.option: (Rule(value=p.default),) for p in known if p.option and p.default is not None}
        return _turned(self.method, {**defaults, **options})

    def place_of(self, fault: str, otherwise: KeyPath) -> KeyPath:
        """Where the option stands that a fault names."""
        return next((at for option, at in self.places.items() if option in fault), otherwise)

    def _parameter(self, key: str) -> Parameter:
        known = parameters_of(self.method)
        if key not in known:
            hint = nearest(key, known) if known else "it has none"
            raise MethodError(f"{self.method.name} has no parameter {quoted(key)} ({hint})")
        return known[key]


def _turned(method: type[StreamingMethod], options: dict[str, Setting]) -> dict[str, Setting]:
    """mergekit's nuslerp_row_wise cuts tensors into columns, and false into rows, whatever its guide says."""
    if method.name != "nuslerp":
        return options
    rows = options.pop("row_wise", (Rule(value=False),))
    if options.get("flatten", _ALWAYS) != _ALWAYS:
        options["row_wise"] = tuple(Rule(filter=rule.filter, value=not rule.value) for rule in rows)
    return options
