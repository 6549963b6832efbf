"""What is wrong with data of a certain shape, in lineal's words: pydantic says where, the schema what is needed."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast, final

from pydantic import ValidationError

from lineal.nearest import nearest
from lineal.shown import quoted

Schema: TypeAlias = Mapping[str, Any]

_ONE = {"integer": "an integer", "number": "a finite number", "boolean": "true or false", "string": "text"}
_MANY = {"integer": "integers", "number": "finite numbers", "boolean": "true or false", "string": "texts"}
_LIMITS: Mapping[str, str] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} letters",
    "maxLength": "at most {} letters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "maxProperties": "at most {}",
    "pattern": "the form {}",
}
_SHOWN = 200
"""Letters of a wrong value that are shown."""
_ABSENT = ("missing", "missing_argument", "missing_keyword_only_argument")


def schema_faults(error: ValidationError, schema: Schema, given: object, what: str) -> list[str]:
    """One sentence for each place at which something is unknown, absent or of another type.

    schema: of the whole; given: what was to fit it, by the names of fields; what: its parts are, such as an option.
    """
    reader = _Reader(schema, given, what)
    return list(dict.fromkeys(reader.told(cast(Mapping[str, Any], fault)) for fault in error.errors(include_url=False)))


@final
class _Reader:
    def __init__(self, schema: Schema, given: object, what: str) -> None:
        self._definitions: Schema = schema.get("$defs", {})
        self._schema, self._given, self._what = schema, given, what

    def told(self, fault: Mapping[str, Any]) -> str:
        place, schema, value = self._at(fault["loc"])
        if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            known = list(map(written, schema.get("properties", {})))
            return (
                f"unknown {self._what} {quoted(_path(fault['loc']))} ({nearest(written(str(fault['loc'][-1])), known)})"
            )
        if fault["type"] in _ABSENT:
            return f"the {self._what} {quoted(_path(fault['loc']))} is needed"
        if fault["type"] == "value_error":
            return f"{_path(place)}: {fault['ctx']['error']}, got {_short(value)}"
        return f"{_path(place) or 'it'} must be {self._needed(schema)}, got {_short(value)}"

    def _at(self, place: Sequence[str | int]) -> tuple[Sequence[str | int], Schema, Any]:
        """How far a place leads into it: what is needed there, and what was given.

        Where several forms are possible, pydantic goes on into each of them; the place where they part is meant.
        """
        schema: Schema = self._schema
        value: Any = self._given
        for depth, part in enumerate(place):
            inside = self._inside(schema, part)
            if inside is None:
                return place[:depth], schema, value
            schema = self._plain(inside)
            value = _within(value, part)
        return place, schema, value

    def _inside(self, schema: Schema, part: str | int) -> Schema | None:
        if isinstance(part, int):
            fixed: list[Schema] = schema.get("prefixItems", [])
            return fixed[part] if part < len(fixed) else schema.get("items")
        others = schema.get("additionalProperties")
        return schema.get("properties", {}).get(part) or (cast(Schema, others) if isinstance(others, dict) else None)

    def _plain(self, schema: Schema) -> Schema:
        """What a reference names, and what an option is when it is not left out."""
        forms = [form for form in schema.get("anyOf", []) if form.get("type") != "null"]
        if len(forms) == 1:
            schema = forms[0]
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        return self._plain(self._definitions[name]) if name else schema

    def _needed(self, schema: Schema) -> str:
        schema = self._plain(schema)
        if "anyOf" in schema:
            return " or ".join(self._needed(form) for form in schema["anyOf"] if form.get("type") != "null")
        if "enum" in schema or "const" in schema:
            return f"one of {', '.join(map(str, schema['enum']))}" if "enum" in schema else repr(schema["const"])
        if "prefixItems" in schema:
            return f"[{', '.join(self._needed(one) for one in schema['prefixItems'])}]"
        bounds = [said.format(schema[key]) for key, said in _LIMITS.items() if key in schema]
        return self._of_type(schema) + (f" of {' and '.join(bounds)}" if bounds else "")

    def _of_type(self, schema: Schema) -> str:
        kind = str(schema.get("type"))
        if kind == "object":
            keys = ", ".join(map(written, schema.get("properties", ())))
            return f"a mapping with {keys}" if keys else "a mapping"
        if kind == "array":
            items = self._plain(schema.get("items", {}))
            return f"a list of {_MANY.get(items.get('type', ''), 'which each is ' + self._needed(items))}"
        return _ONE.get(kind, "of another type")


def written(field_name: str) -> str:
    """An option's name outside Python, where `lambda` is no keyword."""
    return field_name.rstrip("_")


def _path(place: Sequence[str | int]) -> str:
    return ".".join(written(str(part)) for part in place)


def _within(value: Any, part: str | int) -> Any:
    """What stands there; nothing where it is absent, which is the fault that is told."""
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _short(value: object) -> str:
    whole = repr(value)
    return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}..."
