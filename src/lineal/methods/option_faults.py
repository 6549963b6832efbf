"""What is wrong with a method's options, in lineal's words: pydantic says where, the schema what is needed there."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast, final

from pydantic import ValidationError

from lineal.methods.nearest import nearest

Schema: TypeAlias = Mapping[str, Any]

_ONE = {"integer": "an integer", "number": "a finite number", "boolean": "true or false", "string": "text"}
_MANY = {"integer": "integers", "number": "finite numbers", "boolean": "true or false", "string": "texts"}
_ABSENT = ("missing", "missing_argument", "missing_keyword_only_argument")


def option_faults(error: ValidationError, schema: Schema, options: Mapping[str, object]) -> list[str]:
    """One sentence for each place at which something is unknown, absent or of another type.

    schema: of all options, by the names of fields; options: as they were given, by the same names.
    """
    reader = _Reader(schema, options)
    return list(dict.fromkeys(reader.told(cast(Mapping[str, Any], fault)) for fault in error.errors(include_url=False)))


@final
class _Reader:
    def __init__(self, schema: Schema, options: Mapping[str, object]) -> None:
        self._definitions: Schema = schema.get("$defs", {})
        self._schema, self._options = schema, options

    def told(self, fault: Mapping[str, Any]) -> str:
        place, schema, value = self._at(fault["loc"])
        if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            known = list(map(written, schema.get("properties", {})))
            return f"unknown option {_path(fault['loc'])!r} ({nearest(written(str(fault['loc'][-1])), known)})"
        if fault["type"] in _ABSENT:
            return f"the option {_path(fault['loc'])!r} is needed"
        if fault["type"] == "value_error":
            return f"{_path(place)}: {fault['ctx']['error']}, got {value!r}"
        return f"{_path(place)} must be {self._needed(schema)}, got {value!r}"

    def _at(self, place: Sequence[str | int]) -> tuple[Sequence[str | int], Schema, Any]:
        """How far a place leads into the options: what is needed there, and what was given.

        Where several forms are possible, pydantic goes on into each of them; the place where they part is meant.
        """
        schema: Schema = self._schema
        value: Any = self._options
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
        kind = schema.get("type")
        if "anyOf" in schema:
            return " or ".join(self._needed(form) for form in schema["anyOf"] if form.get("type") != "null")
        if "enum" in schema:
            return f"one of {', '.join(map(str, schema['enum']))}"
        if kind == "object":
            keys = ", ".join(map(written, schema.get("properties", ())))
            return f"a mapping with {keys}" if keys else "a mapping"
        if "prefixItems" in schema:
            return f"[{', '.join(self._needed(one) for one in schema['prefixItems'])}]"
        if kind == "array":
            items = self._plain(schema.get("items", {}))
            return f"a list of {_MANY.get(items.get('type', ''), 'which each is ' + self._needed(items))}"
        return _ONE.get(str(kind), "of another type")


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
