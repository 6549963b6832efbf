"""Headers that lie: each is refused with one line that names the file, before anything they say is believed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.headers.safetensors import BITS, LARGEST_HEADER, read_header
from lineal.errors import CheckpointError
from tests.builders import NUMPY, write_header, write_safetensors

FOUR_BYTES = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def refuse(path: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        read_header(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_honest_header_is_read_in_the_order_of_bytes(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "b": entry("BF16", [2, 1], [4, 8]),
        "a": entry(),
        "c": entry("I8", [0, 3], [8, 8]),
    }
    path = write_header(tmp_path / "w", header, bytes(range(8)))
    specs, metadata = read_header(path)
    start = path.stat().st_size - 8
    assert metadata == {"format": "pt"}
    assert list(specs) == ["a", "b", "c"]
    found = [(s.name, s.dtype, s.shape, s.offset - start, s.byte_length, s.elements, s.path) for s in specs.values()]
    assert found == [
        ("a", "F32", (1,), 0, 4, 1, path),
        ("b", "BF16", (2, 1), 4, 4, 2, path),
        ("c", "I8", (0, 3), 8, 0, 0, path),
    ]


@pytest.mark.parametrize("dtype", NUMPY)
def test_every_dtype_the_library_writes_is_read(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "w"
    write_safetensors(path, {"w": np.ones((2, 3), NUMPY[dtype])})
    (spec,) = read_header(path)[0].values()
    assert (spec.dtype, spec.shape, spec.byte_length) == (dtype, (2, 3), 6 * BITS[dtype] // 8)


@pytest.mark.parametrize("content", [b"", b"\x05", bytes(7), bytes(8), (1 << 63).to_bytes(8, "little")])
def test_a_file_too_short_for_its_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w"
    path.write_bytes(content)
    refuse(path, "truncated|not JSON")


def test_a_header_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    refuse(write_header(tmp_path / "w", {"a": FOUR_BYTES}, bytes(4), length=1000), "truncated: a header of 1000 bytes")


def test_a_header_of_more_than_100_mb_is_refused_unread(tmp_path: Path) -> None:
    path = write_header(tmp_path / "w", b"{}", length=LARGEST_HEADER + 1)
    with path.open("r+b") as file:
        file.truncate(LARGEST_HEADER + 100)
    refuse(path, f"a header of {LARGEST_HEADER + 1} bytes; at most {LARGEST_HEADER}")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe{}", b"{}x", b"{'a': 1}", '{"a": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}"]
)
def test_a_header_that_is_not_json_in_utf_8_is_refused(tmp_path: Path, raw: bytes) -> None:
    refuse(write_header(tmp_path / "w", raw), "the header is not JSON")


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"text"'])
def test_a_header_that_is_no_object_is_refused(tmp_path: Path, raw: bytes) -> None:
    refuse(write_header(tmp_path / "w", raw), "not a JSON object")


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 10_000 + b"}"])
def test_json_made_to_exhaust_a_parser_is_refused(tmp_path: Path, raw: bytes) -> None:
    refuse(write_header(tmp_path / "w", raw), "not JSON")


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    one = json.dumps(FOUR_BYTES)
    raw = f'{{"a": {one}, "b": {one}, "b": {one}}}'.encode()
    refuse(write_header(tmp_path / "w", raw, bytes(4)), "names 'b' twice")


def test_a_duplicate_key_within_an_entry_is_refused(tmp_path: Path) -> None:
    raw = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "shape": [1]}}'
    refuse(write_header(tmp_path / "w", raw, bytes(4)), "names 'shape' twice")


def test_half_a_surrogate_pair_in_a_name_is_refused(tmp_path: Path) -> None:
    refuse(write_header(tmp_path / "w", {"a\ud800": FOUR_BYTES}, bytes(4)), "not JSON")


@pytest.mark.parametrize("metadata", [{"epoch": 1}, {"a": None}, {"a": {"b": "c"}}, [], "pt", None])
def test_metadata_that_is_not_strings_is_refused(tmp_path: Path, metadata: Any) -> None:
    refuse(write_header(tmp_path / "w", {"__metadata__": metadata, "a": FOUR_BYTES}, bytes(4)), "__metadata__")


@pytest.mark.parametrize("wrong", [None, [], "F32", {}, {"dtype": "F32"}, {"dtype": "F32", "shape": [1]}])
def test_an_entry_that_lacks_a_field_is_refused(tmp_path: Path, wrong: Any) -> None:
    refuse(write_header(tmp_path / "w", {"a": wrong}, bytes(4)), "'a': dtype, shape and data_offsets are needed")


@pytest.mark.parametrize("dtype", ["F33", "f32", "", None, 32, ["F32"], {"F32": 1}])
def test_an_unknown_dtype_is_refused_with_the_known_ones(tmp_path: Path, dtype: Any) -> None:
    refuse(write_header(tmp_path / "w", {"a": entry(dtype)}, bytes(4)), r"'a': unknown dtype .* \(known: BOOL, U8")


HUGE = 2**53 + 1


@pytest.mark.parametrize(
    "shape", [None, 1, "1", [-1], [1.0], [True], ["1"], [None], [[1]], {"0": 1}, [HUGE], [1] * 65, [HUGE] * 10_000]
)
def test_what_is_not_a_shape_is_refused(tmp_path: Path, shape: Any) -> None:
    refuse(write_header(tmp_path / "w", {"a": entry(shape=shape)}, bytes(4)), "'a': not a shape")


@pytest.mark.parametrize(
    "offsets",
    [
        None,
        4,
        "04",
        [],
        [0],
        [0, 4, 8],
        [4, 0],
        [-4, 0],
        [0.0, 4.0],
        [False, 4],
        ["0", "4"],
        [0, None],
        [HUGE, HUGE + 4],
    ],
)
def test_what_is_not_a_range_of_bytes_is_refused(tmp_path: Path, offsets: Any) -> None:
    refuse(write_header(tmp_path / "w", {"a": entry(offsets=offsets)}, bytes(4)), "'a': not a range of bytes")


@pytest.mark.parametrize("shape", [[], [1], [3], [2, 2], [2**52, 2**52, 2**52], [0]])
def test_a_range_that_does_not_hold_the_shape_is_refused(tmp_path: Path, shape: list[int]) -> None:
    refuse(write_header(tmp_path / "w", {"a": entry(shape=shape, offsets=[0, 8])}, bytes(8)), "the header gives 8")


LAYOUTS: list[tuple[dict[str, Any], int, str]] = [
    ({"a": entry(offsets=[0, 4])}, 3, "truncated: the header describes"),
    ({"a": entry(offsets=[1000, 1004])}, 4, "a gap before 'a'"),
    ({"a": entry(offsets=[0, 4])}, 5, "bytes left over"),
    ({"a": entry(offsets=[0, 4]), "b": entry(offsets=[0, 4])}, 4, "'b' overlaps 'a'"),
    ({"a": entry(offsets=[0, 4]), "b": entry(offsets=[2, 6])}, 6, "'b' overlaps 'a'"),
    ({"a": entry(offsets=[0, 4]), "b": entry(offsets=[5, 9])}, 9, "'b' leaves a gap after 'a'"),
    ({"a": entry(offsets=[0, 4]), "b": entry(offsets=[4, 8])}, 4, "truncated"),
    ({"a": entry(shape=[0], offsets=[2, 2]), "b": entry(offsets=[0, 4])}, 4, "'a' overlaps 'b'"),
    ({"a": entry(shape=[0], offsets=[9, 9]), "b": entry(offsets=[0, 4])}, 4, "'a' leaves a gap after 'b'"),
    ({}, 1, "bytes left over"),
]


@pytest.mark.parametrize(("header", "size", "message"), LAYOUTS)
def test_tensors_that_do_not_tile_the_file_are_refused(
    tmp_path: Path, header: dict[str, Any], size: int, message: str
) -> None:
    refuse(write_header(tmp_path / "w", header, bytes(size)), message)


def test_a_file_of_no_tensors_is_read(tmp_path: Path) -> None:
    assert read_header(write_header(tmp_path / "w", {})) == ({}, {})
