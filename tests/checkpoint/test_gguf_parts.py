"""A GGUF in parts, as llama.cpp's tools and gguf-py write them: one model, and the same one as in one file."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import pytest
from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from tests.ggufs import METADATA, Typed, random_gguf, random_values, write_gguf

U16, I32 = GGUFValueType.UINT16, GGUFValueType.INT32
COUNT = 3


def write_parts(folder: Path, *, empty_first: bool = False) -> Path:
    """The three tensors of `random_values`, a part each, by gguf-py; the first part, which may hold keys alone."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(folder / "x.gguf", "llama", split_max_tensors=1, small_first_shard=empty_first)
    for key, (kind, content, *items) in METADATA.items():
        if key != "general.architecture":
            writer.add_key_value(key, content, kind, *items)
    for name, (values, kind) in random_values(1).items():
        stored = gguf.quants.quantize(values, GGMLQuantizationType[kind])
        writer.add_tensor(name, stored, raw_dtype=GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return min(folder.glob("*.gguf"))


def part_keys(number: int, count: int = COUNT, tensors: int = 3) -> dict[str, Typed]:
    return {"split.no": (U16, number), "split.count": (U16, count), "split.tensors.count": (I32, tensors)}


def write_part(folder: Path, number: int, keys: Mapping[str, Any] | None = None, count: int = COUNT) -> Path:
    """One part of three with one tensor; keys: other than honest ones."""
    name, held = list(random_values(1).items())[number]
    wanted = {"general.architecture": METADATA["general.architecture"], **part_keys(number), **(keys or {})}
    return write_gguf(folder / f"x-{number + 1:05}-of-{count:05}.gguf", {name: held}, wanted)


def refuse(place: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        open_checkpoint(place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("empty_first", [False, True])
@pytest.mark.parametrize("in_folder", [False, True])
def test_parts_are_the_model_that_they_were_in_one_file(tmp_path: Path, in_folder: bool, empty_first: bool) -> None:
    first = write_parts(tmp_path / "parts", empty_first=empty_first)
    whole = open_checkpoint(random_gguf(tmp_path / "whole.gguf"))
    place = first.parent if in_folder else first
    found = open_checkpoint(place)
    assert (found.path, found.lone, found.form) == (place, not in_folder, "gguf")
    assert found.weight_files == tuple(sorted(path.name for path in first.parent.iterdir()))
    assert len(found.weight_files) == COUNT + empty_first
    assert {name: bytes(found.read(name)) for name in found} == {name: bytes(whole.read(name)) for name in whole}
    assert hash_folder(place).manifest == hash_folder(whole.path).manifest


def test_every_part_is_among_the_hashes_of_files(tmp_path: Path) -> None:
    first = write_parts(tmp_path)
    assert list(hash_folder(first).files) == [path.name for path in sorted(tmp_path.iterdir())]
    random_gguf(tmp_path / "y.gguf")
    assert len(hash_folder(first).files) == COUNT


def test_other_alignments_of_parts_are_no_difference(tmp_path: Path) -> None:
    for number in range(COUNT):
        write_part(tmp_path, number, {"general.alignment": (GGUFValueType.UINT32, 32 << number)})
    assert set(open_checkpoint(tmp_path)) == set(random_values(1))


def test_a_part_that_is_not_the_first_names_the_first(tmp_path: Path) -> None:
    parts = [write_part(tmp_path, number) for number in range(COUNT)]
    refuse(parts[1], r"x-00002-of-00003\.gguf: part 2 of 3 of a model; name the first, x-00001-of-00003\.gguf")


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    first = write_parts(tmp_path)
    (tmp_path / "x-00002-of-00003.gguf").unlink()
    for place in (first, tmp_path):
        refuse(place, r"x-00001-of-00003\.gguf: part 1 of 3; x-00002-of-00003\.gguf is missing")
    first.unlink()
    refuse(tmp_path, "part 3 of 3 of a model; name the first, x-00001-of-00003")
    shutil.copy(tmp_path / "x-00003-of-00003.gguf", tmp_path / "x-00002-of-00003.gguf")
    refuse(tmp_path, r"parts of a GGUF without the first, x-00001-of-00003\.gguf")


def test_a_part_under_another_name_is_refused(tmp_path: Path) -> None:
    write_part(tmp_path, 0).rename(tmp_path / "y.gguf")
    refuse(tmp_path / "y.gguf", r"part 1 of 3, and not called so; NAME-00001-of-00003\.gguf is needed")
    write_part(tmp_path, 1).rename(tmp_path / "x-00001-of-00003.gguf")
    refuse(tmp_path / "x-00001-of-00003.gguf", r"part 2 of 3, and not called so; NAME-00002-of-00003\.gguf is needed")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"split.no": (U16, 2)}, "is part 3 of 3, where part 2 of 3 is needed"),
        ({"split.count": (U16, 4)}, "is part 2 of 4, where part 2 of 3 is needed"),
        ({"split.tensors.count": (I32, 9)}, "part of a model of 9 tensors, x-00001-of-00003.gguf of one of 3"),
        ({"general.architecture": (GGUFValueType.STRING, "qwen2")}, "'general.architecture' is not that of x-00001"),
        ({"llama.block_count": (GGUFValueType.UINT32, 1)}, "'llama.block_count' is not that of x-00001"),
        ({"split.count": (GGUFValueType.STRING, "3")}, "split.count must be a whole number, got '3'"),
        ({"split.no": (GGUFValueType.INT32, -1)}, "split.no must be a whole number, got -1"),
    ],
)
def test_a_part_of_another_model_is_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    for number in range(COUNT):
        write_part(tmp_path, number, keys if number == 1 else None)
    refuse(tmp_path, rf"x-00002-of-00003\.gguf: .*{message}")


def test_a_tensor_in_two_parts_is_refused(tmp_path: Path) -> None:
    for number in range(COUNT):
        write_part(tmp_path, number)
    twice = dict([next(iter(random_values(1).items()))])
    keys = {"general.architecture": METADATA["general.architecture"], **part_keys(2)}
    write_gguf(tmp_path / "x-00003-of-00003.gguf", twice, keys)
    refuse(tmp_path, r"00003-of-00003\.gguf: holds 'token_embd\.weight', which x-00001-of-00003\.gguf holds, too")


def test_parts_that_hold_less_than_they_say_are_refused(tmp_path: Path) -> None:
    for number in range(COUNT):
        write_part(tmp_path, number, {"split.tensors.count": (I32, 4)})
    refuse(tmp_path, r"x-00001-of-00003\.gguf: says that its 3 parts hold 4 tensors; they hold 3")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_parts_with_bytes_changed_open_as_tensors_of_their_own_or_are_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    parts = sorted(tmp_path.glob("*.gguf")) or [write_part(tmp_path, number) for number in range(COUNT)]
    honest = {part: part.read_bytes() for part in parts}
    part = data.draw(st.sampled_from(parts))
    content = bytearray(honest[part])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        part.write_bytes(content)
        found = open_checkpoint(parts[0])
        assert len({spec.path for spec in found.values()}) == len(found) == COUNT
    except CheckpointError as error:
        assert "\n" not in str(error)
    finally:
        part.write_bytes(honest[part])


def test_a_file_that_says_it_is_the_only_part_is_a_model_under_any_name(tmp_path: Path) -> None:
    path = random_gguf(tmp_path / "x.gguf", metadata={**METADATA, **part_keys(0, 1)})
    assert hash_folder(path).manifest == hash_folder(random_gguf(tmp_path / "y.gguf")).manifest
