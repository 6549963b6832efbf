"""A model on disk as a lazy mapping: name -> spec, name -> bytes. Nothing is mapped, nothing unpickled."""

import json
import os
import re
from collections import Counter
from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, cast, final

from lineal.checkpoint.config_types import check_config
from lineal.checkpoint.headers.gguf_metadata import Metadata, Value
from lineal.checkpoint.headers.safetensors import TensorSpec, read_header
from lineal.checkpoint.inside import is_utf8, regular_files, require_regular
from lineal.errors import CheckpointError
from lineal.shown import quoted

Form = Literal["full", "adapter", "gguf"]

FULL_WEIGHTS = "model.safetensors"
FULL_INDEX = "model.safetensors.index.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
GGUF_SUFFIX = ".gguf"
HEADERS_ONLY = "LINEAL-HEADERS-ONLY"
"""A file that marks a folder whose weight files end with their headers: to plan with, never to read."""

_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_PICKLES = ("pytorch_model*.bin", "adapter_model.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_LARGEST_JSON = 100_000_000
_LONGEST_NAME = 255
"""Bytes in a file's name, on every file system in use."""


@final
@dataclass(frozen=True)
class Checkpoint(Mapping[str, TensorSpec]):
    """A model folder (one safetensors file, shards with an index, a PEFT adapter or a GGUF), or a GGUF alone.

    folder: where the files lie; metadata: of a GGUF; lone: the model is the one file, or the parts of one, whatever
    lies beside it.
    """

    folder: Path
    form: Form
    weight_files: tuple[str, ...]
    specs: Mapping[str, TensorSpec]
    metadata: Metadata = field(default_factory=dict[str, Value])
    lone: bool = False

    def __getitem__(self, name: str) -> TensorSpec:
        return self.specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def keys(self) -> KeysView[str]:
        return self.specs.keys()

    def values(self) -> ValuesView[TensorSpec]:
        return self.specs.values()

    def items(self) -> ItemsView[str, TensorSpec]:
        return self.specs.items()

    @property
    def path(self) -> Path:
        """What a user calls the model by: its folder, or the file that is all of it, or the first part of all."""
        return self.folder / self.weight_files[0] if self.lone else self.folder

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json, or adapter_config.json of an adapter."""
        if self.form == "gguf":
            raise CheckpointError(f"{self.path}: a GGUF has metadata of its own and no config.json")
        path = self.folder / (ADAPTER_CONFIG if self.form == "adapter" else "config.json")
        found = read_json(path)
        check_config(found, path)
        return found

    @property
    def headers_only(self) -> bool:
        """Whether the weights are elsewhere, and only their headers here."""
        return (self.folder / HEADERS_ONLY).exists()

    def require_weights(self) -> None:
        if self.headers_only:
            raise CheckpointError(f"{self.folder}: headers without weights; unknown until downloaded")

    @property
    def tensor_bytes(self) -> int:
        return sum(spec.byte_length for spec in self.specs.values())

    def read(self, name: str) -> bytearray:
        """All bytes of one tensor."""
        self.require_weights()
        spec = self[name]
        content = bytearray(spec.byte_length)
        descriptor = os.open(spec.path, os.O_RDONLY)
        try:
            read_exactly(descriptor, memoryview(content), spec.offset, spec.path)
        finally:
            os.close(descriptor)
        return content


def is_lone_file(place: Path) -> bool:
    """Whether a place, be it there or not, is that of a GGUF alone and not of a folder."""
    return place.suffix == GGUF_SUFFIX and not place.is_dir()


def open_checkpoint(place: Path) -> Checkpoint:
    """Open a model folder or a GGUF by reading headers alone; what is damaged, unsafe or not a model is refused."""
    if not is_utf8(str(place)):
        raise CheckpointError(f"{place}: its path is not UTF-8, which no record could hold: rename it")
    if is_lone_file(place) and place.is_file():
        return _gguf(place.parent, place.name, lone=True)
    if not place.is_dir():
        raise CheckpointError(f"{place}: {'not a folder or GGUF' if place.exists() else 'no such folder or GGUF'}")
    found = _open_folder(place)
    found.require_weights()
    return found


def open_headers(folder: Path) -> Checkpoint:
    """Open a folder that may hold headers without weights."""
    return _open_folder(folder)


def _open_folder(folder: Path) -> Checkpoint:
    # whatever is read of it later has been judged here
    here = {path.name for path in regular_files(folder) if path.parent == folder}
    full = next((name for name in (FULL_WEIGHTS, FULL_INDEX) if name in here), None)
    if full is not None and ADAPTER_CONFIG in here:
        raise CheckpointError(
            f"{folder}: holds full weights ({full}) and an adapter ({ADAPTER_CONFIG}), which transformers would put on "
            "top of them: move the adapter's files into a folder of their own, or delete them if the weights hold it"
        )
    if full == FULL_WEIGHTS:  # where an index stands beside it, transformers too reads this file
        return _single(folder, "full", FULL_WEIGHTS)
    if full == FULL_INDEX:
        return _sharded(folder)
    if ADAPTER_WEIGHTS in here:
        return _single(folder, "adapter", ADAPTER_WEIGHTS)
    ggufs = sorted(name for name in here if name.endswith(GGUF_SUFFIX))
    if ggufs:
        return _gguf(folder, _one_gguf(folder, ggufs), lone=False)
    pickles = sorted(name for name in here if any(fnmatchcase(name, pattern) for pattern in _PICKLES))
    if pickles:
        raise CheckpointError(
            f"{folder}: only pickled weights ({pickles[0]}); unpickling runs code: convert to safetensors"
        )
    raise CheckpointError(f"{folder}: no {FULL_WEIGHTS}, {FULL_INDEX}, {ADAPTER_WEIGHTS} or GGUF file")


def read_json(path: Path, *, unique: bool = False) -> dict[str, Any]:
    """A JSON object from a file of bounded size; unique: one in which a key stands twice is refused."""
    require_regular(path)
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise CheckpointError(f"{path}: larger than {_LARGEST_JSON} bytes")
        content = path.read_bytes()
        found = json.loads(content, object_pairs_hook=partial(_unique, path) if unique else None)
        if _ESCAPED_HALF.search(content):
            _ = json.dumps(found, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except UnicodeEncodeError:
        raise CheckpointError(f"{path}: holds half a surrogate pair, which is not a character") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return cast(dict[str, Any], found)


def _unique(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise CheckpointError(f"{path}: {quoted(twice)} stands in it twice")
    return found


def read_exactly(descriptor: int, buffer: memoryview, offset: int, path: Path) -> None:
    """Fill the buffer from the file; a file that ends early has changed since its header was read."""
    done = 0
    while done < len(buffer):
        count = os.preadv(descriptor, [buffer[done:]], offset + done)
        if count == 0:
            raise CheckpointError(f"{path}: ends at byte {offset + done}; it changed while it was read")
        done += count


def _single(folder: Path, form: Form, weights: str) -> Checkpoint:
    return Checkpoint(folder, form, (weights,), read_header(folder / weights)[0])


def _gguf(folder: Path, file: str, *, lone: bool) -> Checkpoint:
    from lineal.checkpoint.headers.gguf_parts import read_gguf  # noqa: PLC0415 - numpy, which others do without

    files, specs, metadata = read_gguf(folder, file)
    return Checkpoint(folder, "gguf", files, specs, metadata, lone)


def _one_gguf(folder: Path, files: Sequence[str]) -> str:
    """The file of a folder that is opened: the only one, or the first of the parts of one model."""
    from lineal.checkpoint.headers.gguf_parts import first_part  # noqa: PLC0415 - numpy, which others do without

    if len(files) == 1:
        return files[0]
    first = first_part(files)
    if first is None:
        raise CheckpointError(f"{folder}: {len(files)} GGUF files ({', '.join(files)}): name the one that is meant")
    if first not in files:
        raise CheckpointError(f"{folder}: parts of a GGUF without the first, {first}")
    return first


def _sharded(folder: Path) -> Checkpoint:
    index = folder / FULL_INDEX
    weight_map = read_json(index, unique=True).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index}: no weight_map")
    local = cast(dict[str, Any], weight_map)
    shards = sorted({_inside(index, shard) for shard in local.values()})
    specs: dict[str, TensorSpec] = {}
    for shard in shards:
        if not (folder / shard).is_file():
            raise CheckpointError(f"{index}: names the shard {quoted(shard)}, which is missing")
        for name, spec in read_header(folder / shard)[0].items():
            if local.get(name) != shard:
                place = local.get(name)
                raise CheckpointError(
                    f"{folder / shard}: holds {quoted(name)}, which the index places in {quoted(place)}"
                )
            specs[name] = spec
    missing = sorted(local.keys() - specs.keys())
    if missing:
        raise CheckpointError(f"{index}: places {quoted(missing[0])} in {local[missing[0]]}, which does not hold it")
    return Checkpoint(folder, "full", tuple(shards), specs)


def _inside(index: Path, shard: Any) -> str:
    """A shard's file name; a path that leads elsewhere is refused."""
    is_plain = isinstance(shard, str) and shard == Path(shard).name and "\\" not in shard
    if is_plain and shard.endswith(".safetensors") and len(shard.encode(errors="replace")) <= _LONGEST_NAME:
        return shard
    raise CheckpointError(f"{index}: {quoted(str(shard)[:80])} is not the name of a safetensors file in this folder")
