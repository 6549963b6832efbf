"""A GGUF in one file or in parts, as llama.cpp's gguf-split writes them: the first holds the keys, all hold tensors."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from lineal.checkpoint.headers.gguf import read_gguf_header
from lineal.checkpoint.headers.gguf_metadata import Metadata, gguf_package
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.errors import CheckpointError
from lineal.shown import quoted

_PART = re.compile(r"(?P<name>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf")
_NUMBER, _COUNT, _TENSORS = "split.no", "split.count", "split.tensors.count"

Whole: TypeAlias = tuple[tuple[str, ...], Mapping[str, TensorSpec], Metadata]
"""The names of the files, the tensors of all and the keys of the first."""


def first_part(files: Sequence[str]) -> str | None:
    """The first of these files, where by their names they are parts of one model; None where they are not."""
    found = [match for file in files if (match := _PART.fullmatch(file))]
    models = {(match["name"], match["count"]) for match in found}
    if len(found) < len(files) or len(models) != 1:
        return None
    ((name, count),) = models
    return _called(name, 1, int(count))


def is_later_part(file: str) -> bool:
    """Whether by its name it is a part of a model that is opened by another file."""
    match = _PART.fullmatch(file)
    return match is not None and int(match["number"]) > 1


def read_gguf(folder: Path, file: str) -> Whole:
    """The model whose only file, or whose first part, this is; parts that do not make one model are refused."""
    path = folder / file
    specs, metadata = read_gguf_header(path)
    count = _whole(path, metadata, _COUNT) if _COUNT in metadata else 1
    if count < 2:
        return (file,), specs, metadata
    files = _parts(path, _whole(path, metadata, _NUMBER), count)
    tensors = dict(specs)
    for number, name in enumerate(files[1:], 1):
        if not (folder / name).is_file():
            raise CheckpointError(f"{path}: part 1 of {count}; {name} is missing")
        of_part, keys = read_gguf_header(folder / name)
        _check_part(folder / name, keys, number, count)
        _check_keys(folder / name, keys, path, metadata)
        _check_new(folder / name, of_part, tensors)
        tensors.update(of_part)
    told = _whole(path, metadata, _TENSORS)
    if told != len(tensors):
        raise CheckpointError(f"{path}: says that its {count} parts hold {told} tensors; they hold {len(tensors)}")
    return files, tensors, metadata


def _parts(path: Path, number: int, count: int) -> tuple[str, ...]:
    """All parts of the model whose first is this file."""
    match = _PART.fullmatch(path.name)
    if match is None or (int(match["number"]), int(match["count"])) != (number + 1, count):
        wanted = _called("NAME", number + 1, count)
        raise CheckpointError(f"{path}: part {number + 1} of {count}, and not called so; {wanted} is needed")
    if number:
        first = _called(match["name"], 1, count)
        raise CheckpointError(f"{path}: part {number + 1} of {count} of a model; name the first, {first}")
    return tuple(_called(match["name"], part, count) for part in range(1, count + 1))


def _check_part(path: Path, keys: Metadata, number: int, count: int) -> None:
    found = [_whole(path, keys, key) for key in (_NUMBER, _COUNT)]
    if found != [number, count]:
        is_part = f"part {found[0] + 1} of {found[1]}"
        raise CheckpointError(f"{path}: is {is_part}, where part {number + 1} of {count} is needed")


def _check_keys(path: Path, keys: Metadata, first: Path, ours: Metadata) -> None:
    """A later part may say nothing of the model that the first does not; what the parts hold is told alike by all."""
    of_model = gguf_package(ours)
    for key, digest in gguf_package(keys).items():
        if of_model.get(key) != digest:
            raise CheckpointError(f"{path}: part of another model: its {quoted(key)} is not that of {first.name}")
    told = [_whole(place, said, _TENSORS) for place, said in ((first, ours), (path, keys)) if _TENSORS in said]
    if len(set(told)) > 1:
        raise CheckpointError(f"{path}: part of a model of {told[1]} tensors, {first.name} of one of {told[0]}")


def _check_new(path: Path, specs: Mapping[str, TensorSpec], known: Mapping[str, TensorSpec]) -> None:
    for name in sorted(specs.keys() & known.keys()):
        raise CheckpointError(f"{path}: holds {quoted(name)}, which {known[name].path.name} holds, too")


def _whole(path: Path, metadata: Metadata, key: str) -> int:
    found = metadata[key].content if key in metadata else None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 1 << 31:
        raise CheckpointError(f"{path}: one part of a model; {key} must be a whole number, got {quoted(found)}")
    return found


def _called(name: str, number: int, count: int) -> str:
    return f"{name}-{number:05}-of-{count:05}.gguf"
