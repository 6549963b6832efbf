"""What every method is: a frozen dataclass whose fields are its options and whose call is its mathematics."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Self, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lineal.derivation.canonical import Json, exact
from lineal.derivation.step import Kind
from lineal.errors import MethodError
from lineal.nearest import nearest
from lineal.schema_faults import schema_faults, written

__all__ = ("Method", "Reproducibility", "nearest")


class Reproducibility(Enum):
    """What recomputing a derivation may be held to."""

    EXACT = "exact"
    """The same bytes on any IEEE machine, with any number of threads, shards and block sizes."""
    TOLERANT = "tolerant"
    """Byte-equal on the same machine, versions and threads; elsewhere the error is reported, not judged."""
    STATISTICAL = "statistical"
    """Training: byte-equal on the same machine, versions and threads."""


class Method(ABC):
    """A way to derive a model. Subclasses are frozen, keyword-only dataclasses that check ranges in `__post_init__`."""

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

    kind: ClassVar[Kind]
    name: ClassVar[str]
    paper: ClassVar[str]
    version: ClassVar[int] = 1
    reproducibility: ClassVar[Reproducibility]
    uses_data: ClassVar[bool] = False
    """Whether it takes texts beside models."""
    found: ClassVar[str | None] = None
    """The option that no recipe gives, since it is found when the model is made."""

    @property
    def found_in_making(self) -> str | None:
        """The option that this one, with its other options, leaves to be found."""
        return self.found

    @property
    def origin(self) -> type["Method"]:
        """The class whose mathematics it is: its own, but for a recipe."""
        return type(self)

    def options(self) -> dict[str, Json]:
        """Every field, as it stands in a recipe and in a step; seeds are strings, so that no reader rounds them."""
        return {written(f.name): _option(f.name, getattr(self, f.name)) for f in fields(cast(Any, self))}

    def check_models(self, count: int) -> None:  # noqa: B027 - most take any number
        """Refuse a number of models that are derived from, with a MethodError."""

    def check_recipe(self, data_files: int) -> None:
        """Refuse what a recipe may not ask for although a step may hold it, with a MethodError."""
        if self.uses_data and not data_files:
            raise MethodError(f"{self.name}: data is needed, a text or several")
        if data_files and not self.uses_data:
            raise MethodError(f"{self.name}: takes no data")

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> Self:
        """The method with these options, coerced to the fields' types; all faults at once in one error."""
        names = {written(f.name): f.name for f in fields(cast(Any, cls))}
        given = {names.get(key, key): value for key, value in options.items()}
        try:
            return cast(Self, _reader(cls).validate_python(given))
        except ValidationError as error:
            faults = schema_faults(error, _schema(cls), given, "option")
            raise MethodError(f"{cls.name}: {'; '.join(faults)}") from None

    @classmethod
    def option_names(cls) -> tuple[str, ...]:
        """Its options as recipes and records spell them, in the order of its fields."""
        return tuple(written(f.name) for f in fields(cast(Any, cls)))

    @classmethod
    def option_schemas(cls) -> dict[str, dict[str, Any]]:
        """The JSON schema of each option: its type, what it may be, its default."""
        properties = cast(dict[str, dict[str, Any]], _schema(cls)["properties"])
        return {written(name): schema for name, schema in properties.items()}


@cache
def _reader(method: type[Method]) -> TypeAdapter[Any]:
    return TypeAdapter(method)


@cache
def _schema(method: type[Method]) -> dict[str, Any]:
    return _reader(method).json_schema()


def _option(name: str, value: Any) -> Json:
    if is_dataclass(value) and not isinstance(value, type):
        return exact(asdict(value))
    return str(value) if name == "seed" else exact(value)
