"""YAML that remembers its lines, so that every fault in a family file can be pointed at."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast, final

import yaml
from blake3 import blake3
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lineal.checkpoint.inside import is_utf8
from lineal.errors import RecipeError, UsageError
from lineal.family.file.yaml_nodes import TooDeep, documents
from lineal.lineage.stated.recipe_files import RecipeFile
from lineal.methods.method import nearest
from lineal.shown import quoted

T = TypeVar("T")
KeyPath: TypeAlias = tuple[str | int, ...]

_LARGEST_FILE = 1_000_000
_MOST_NODES = 100_000
_DEEPEST = 50
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@final
class Located:
    """A YAML document as plain values, and the line that each of them stands on."""

    def __init__(self, path: Path, root: Node | None, content_hash: bytes) -> None:
        self.path, self.file = path, RecipeFile(path.name, content_hash)
        self._lines: dict[KeyPath, int] = {}
        self._constructor = yaml.constructor.SafeConstructor()
        self.value = self._plain(root, ()) if root is not None else None

    @classmethod
    def read(cls, path: Path) -> "Located":
        """The one document of a file."""
        documents = cls.read_all(path)
        if len(documents) > 1:
            raise RecipeError(f"{path}: {len(documents)} documents, where one is expected")
        return documents[0]

    @classmethod
    def read_all(cls, path: Path) -> "list[Located]":
        """All documents of a file, which --- separates; of an empty file one without a value."""
        if path.exists() and not path.is_file():
            raise RecipeError(f"{path}: {'a folder' if path.is_dir() else 'no file'}, where a YAML file is expected")
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise RecipeError(f"{path}: larger than {_LARGEST_FILE} bytes")
            content = path.read_bytes()
            roots = documents(content.decode(), _DEEPEST + 1)
        except FileNotFoundError:
            raise RecipeError(f"{path}: no such file") from None
        except (RecursionError, TooDeep):
            raise RecipeError(f"{path}: nested more than {_DEEPEST} deep") from None
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise RecipeError(_syntax(path, error)) from None
        return [cls(path, root, blake3(content).digest()) for root in roots or [None]]

    def line(self, keys: KeyPath) -> int:
        """The line of a value, or of the nearest thing around it."""
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return self._lines.get(keys, 1)

    def _plain(self, node: Node, keys: KeyPath) -> Any:
        self._lines[keys] = node.start_mark.line + 1
        if len(self._lines) > _MOST_NODES:  # aliases can make a small file grow without bound
            raise RecipeError(f"{self.path}: more than {_MOST_NODES} values")
        if len(keys) > _DEEPEST:  # an alias can stand within what it names
            raise RecipeError(f"{self.path}:{node.start_mark.line + 1}: nested more than {_DEEPEST} deep")
        if not isinstance(node, ScalarNode) and node.tag not in _PLAIN_TAGS:
            raise RecipeError(f"{self.path}:{node.start_mark.line + 1}: the tag {node.tag} means nothing here")
        if isinstance(node, SequenceNode):
            return [self._plain(item, (*keys, index)) for index, item in enumerate(cast(list[Node], node.value))]
        if isinstance(node, MappingNode):
            return self._mapping(node, keys)
        return self._scalar(node)

    def _mapping(self, node: MappingNode, keys: KeyPath) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key_node, value_node in cast(list[tuple[Node, Node]], node.value):
            key, line = str(self._scalar(key_node)), key_node.start_mark.line + 1
            if key in plain:
                raise RecipeError(f"{self.path}:{line}: {quoted(key)} is given twice")
            plain[key] = self._plain(value_node, (*keys, key))
            self._lines[*keys, key] = line
        return plain

    def _scalar(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode):
            raise RecipeError(f"{self.path}:{node.start_mark.line + 1}: a key must be a plain word")
        try:
            value = cast(Any, self._constructor.construct_object(node))
        except (yaml.YAMLError, ValueError) as error:
            raise RecipeError(f"{self.path}:{node.start_mark.line + 1}: {str(error).splitlines()[0]}") from None
        if isinstance(value, str) and not is_utf8(value):
            raise RecipeError(
                f"{self.path}:{node.start_mark.line + 1}: holds half a surrogate pair, which is not a character"
            )
        return value


@final
class Faults:
    """Everything wrong with a file, so that it is said at once."""

    def __init__(self, document: Located) -> None:
        self._document = document
        self._found: list[tuple[int, str]] = []

    def add(self, keys: KeyPath, message: str) -> None:
        self._found.append((self._document.line(keys), message))

    def attempt(self, keys: KeyPath, make: Callable[[], T]) -> T | None:
        """What `make` gives; if it raises a UsageError that is a fault, and nothing is given."""
        try:
            return make()
        except UsageError as error:
            self.add(keys, str(error))
            return None

    def unknown_keys(self, body: Mapping[str, Any], keys: KeyPath, known: Sequence[str]) -> None:
        """A fault for each key that means nothing."""
        for key in body:
            if key not in known:
                self.add((*keys, key), f"unknown key {quoted(key)} ({nearest(key, known)})")

    def mapping(self, value: Any, keys: KeyPath, what: str) -> Mapping[str, Any]:
        """The value if it is a mapping; else a fault, and nothing in it."""
        if isinstance(value, dict):
            return cast(dict[str, Any], value)
        self.add(keys, f"{what} must be a mapping, got {quoted(value)}")
        return {}

    @property
    def lines(self) -> list[str]:
        """Each fault once, in the order of the file."""
        return [f"{self._document.path}:{line}: {message}" for line, message in sorted(set(self._found))]


def raise_if_any(*faults: Faults) -> None:
    """One error for the faults of one or several documents."""
    lines = [line for one in faults for line in one.lines]
    if lines:
        raise RecipeError(*lines)


def _syntax(path: Path, error: UnicodeDecodeError | yaml.YAMLError) -> str:
    match error:
        case UnicodeDecodeError():
            return f"{path}: not UTF-8: {error.reason} at byte {error.start}"
        case yaml.MarkedYAMLError():
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            return f"{path}:{line}: not YAML: {error.problem or error.context}"
        case yaml.reader.ReaderError():
            return f"{path}: not YAML: the character #x{error.character:02x} at {error.position} is not text"
        case _:
            return f"{path}: not YAML"
