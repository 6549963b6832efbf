"""An option whose value depends on the tensor: rules by name, each a value or a gradient over the blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, final

from pydantic import ConfigDict

from lineal.errors import MethodError

Value: TypeAlias = bool | float | str

EVERY_NAME = "*"


@final
@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an option is for tensors whose name contains `filter`; of all, where there is none or it is `*`.

    value: or a gradient, values spread evenly over the blocks: numbers are interpolated, other values hold until the
    next one begins.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", allow_inf_nan=False)

    value: Value | tuple[Value, ...]
    filter: str | None = None

    def __post_init__(self) -> None:
        if self.value == ():
            raise MethodError("a gradient needs at least one value")

    @property
    def values(self) -> tuple[Value, ...]:
        return self.value if isinstance(self.value, tuple) else (self.value,)

    def applies_to(self, name: str) -> bool:
        return self.filter in (None, EVERY_NAME) or self.filter in name

    def at(self, place: float) -> Value:
        """The value at a place from 0, the first block, to 1, the last one."""
        knots = self.values
        step = min(int(place * (len(knots) - 1)), len(knots) - 1)
        low, high = knots[step], knots[min(step + 1, len(knots) - 1)]
        if isinstance(low, bool | str) or isinstance(high, bool | str):
            return low
        share = place * (len(knots) - 1) - step
        return low if share == 0 else (1 - share) * low + share * high


Setting: TypeAlias = tuple[Rule, ...]
"""The first rule that applies counts."""
Settings: TypeAlias = Mapping[str, Setting]


def look_up(option: str, levels: Sequence[Settings], name: str, place: float) -> Value | None:
    """What the first level with an applicable rule says of an option; None where none says anything."""
    for settings in levels:
        for rule in settings.get(option, ()):
            if rule.applies_to(name):
                return rule.at(place)
    return None
