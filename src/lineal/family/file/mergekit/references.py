"""How mergekit's recipes name models: path@revision+adapter@revision, or the same as a mapping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from lineal.errors import UsageError
from lineal.family.file.located_yaml import Faults, KeyPath
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Named:
    """A model, or an adapter on it; revisions: of repositories on the Hub."""

    model: str
    revision: str | None = None
    adapter: str | None = None
    adapter_revision: str | None = None


@final
@dataclass(frozen=True)
class References:
    """Reads references; `resolve` says how a path or name of the recipe is called here."""

    faults: Faults
    resolve: Callable[[str, str | None], str]

    def read(self, written: Any, keys: KeyPath) -> Named | None:
        """The model as it is called here; None after a fault."""
        return self.faults.attempt(keys, lambda: self._resolved(parse_reference(written)))

    def _resolved(self, named: Named) -> Named:
        adapter = None if named.adapter is None else self.resolve(named.adapter, named.adapter_revision)
        return Named(self.resolve(named.model, named.revision), adapter=adapter)


def parse_reference(written: Any) -> Named:
    """The model that a recipe means; anything else is a UsageError."""
    if isinstance(written, str) and written:
        model, plus, adapter = written.partition("+")
        return Named(*_path(model), *(_path(adapter) if plus else (None, None)))
    if isinstance(written, Mapping):
        parts = cast(Mapping[str, Any], written)
        if "model" in parts and parts.keys() <= {"model", "lora", "override_architecture"}:
            if parts.get("override_architecture") is not None:
                raise UsageError("override_architecture is not supported; names and configs say what a model is")
            lora = parts.get("lora")
            return Named(*_parts(parts["model"]), *(_parts(lora) if lora is not None else (None, None)))
    raise UsageError(f"a model is a path, a name or {{model: {{path: ...}}, lora: ...}}, got {quoted(written)}")


def _path(written: str) -> tuple[str, str | None]:
    path, at, revision = written.partition("@")
    if not path or (at and not revision):
        raise UsageError(f"{quoted(written)} names no model; write path@revision+adapter@revision")
    return path, revision or None


def _parts(written: Any) -> tuple[str, str | None]:
    if isinstance(written, str) and written:
        return _path(written)
    if isinstance(written, Mapping):
        parts = cast(Mapping[str, Any], written)
        path, revision = parts.get("path"), parts.get("revision")
        if isinstance(path, str) and path and parts.keys() <= {"path", "revision"}:
            return path, None if revision is None else str(revision)
    raise UsageError(f"a model is a path or {{path: ..., revision: ...}}, got {quoted(written)}")
