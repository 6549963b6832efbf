"""Any bytes at all: a file opens, and then as the safetensors library reads it, or it is refused as a checkpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import deserialize

from lineal.checkpoint.headers.safetensors import read_header
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError

HONEST: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b.weight": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
    "c": {"dtype": "I8", "shape": [], "data_offsets": [22, 23]},
}
DATA = bytes(range(23))
RAW = len(json.dumps(HONEST)).to_bytes(8, "little") + json.dumps(HONEST).encode() + DATA

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, 2, 3, 4, 16, 22, 23]),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["F32", "BF16", "I8", "F8_E4M3", "BOOL", "F64", "__metadata__"]),
)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def judge(folder: Path, content: bytes) -> None:
    """Opens or is refused; what opens here, the safetensors library opens too, and sees the same."""
    path = folder / "model.safetensors"
    path.write_bytes(content)
    try:
        checkpoint = open_checkpoint(folder)
    except CheckpointError as error:
        assert str(error)
        return
    seen = {name: (spec.dtype, list(spec.shape), bytes(checkpoint.read(name))) for name, spec in checkpoint.items()}
    library = {name: (t["dtype"], t["shape"], bytes(t["data"])) for name, t in deserialize(content)}
    assert seen == library


@given(st.binary(max_size=200))
def test_random_bytes_open_or_are_refused(folder: Path, content: bytes) -> None:
    judge(folder, content)


@given(st.binary(max_size=120), st.binary(max_size=20))
def test_random_headers_of_the_right_length_open_or_are_refused(folder: Path, header: bytes, data: bytes) -> None:
    judge(folder, len(header).to_bytes(8, "little") + header + data)


@given(st.data())
def test_an_honest_file_with_bytes_changed_opens_or_is_refused(folder: Path, data: st.DataObject) -> None:
    content = bytearray(RAW)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    judge(folder, bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]))


@settings(max_examples=200)
@given(st.data())
def test_an_honest_header_with_a_value_replaced_opens_or_is_refused(folder: Path, data: st.DataObject) -> None:
    header = json.loads(json.dumps(HONEST))
    place: Any = header
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    raw = json.dumps(header).encode()
    judge(folder, len(raw).to_bytes(8, "little") + raw + DATA)


@pytest.mark.faults
@settings(max_examples=5000)
@given(st.binary(max_size=300))
def test_many_random_bytes_open_or_are_refused(folder: Path, content: bytes) -> None:
    judge(folder, content)


def test_the_honest_file_opens(folder: Path) -> None:
    judge(folder, RAW)
    assert list(read_header(folder / "model.safetensors")[0]) == ["a.weight", "b.weight", "c"]
