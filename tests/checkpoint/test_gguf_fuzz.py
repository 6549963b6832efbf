"""Any bytes at all: a GGUF opens, and then as the gguf library reads it, or it is refused as a checkpoint."""

import struct
import warnings
from pathlib import Path

import pytest
from gguf import GGUFValueType
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.checkpoint.headers.gguf import read_gguf_header
from lineal.checkpoint.reader import Checkpoint, open_checkpoint
from lineal.errors import CheckpointError
from tests.checkpoint.test_gguf_header import read_whole
from tests.ggufs import as_the_library_reads, pair, random_gguf, raw_gguf, tensor, text

NUMBERS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2, 7, 8, 9, 32, 64, 2**31, 2**32 - 1, 2**63]))
NAMES = st.one_of(st.text(max_size=4), st.sampled_from(["t", "general.alignment", "a\n", "general.architecture"]))
PAIRS = st.builds(pair, NAMES, st.integers(0, 14), st.one_of(st.binary(max_size=24), st.binary(max_size=8).map(text)))
TENSORS = st.builds(
    tensor,
    NAMES,
    st.lists(st.sampled_from([0, 1, 2, 32, 64, 2**32, 2**63]), max_size=5),
    st.integers(0, 42),
    st.sampled_from([0, 4, 32, 64, 96, 2**40]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return random_gguf(tmp_path_factory.mktemp("honest") / "x.gguf").read_bytes()


def judge(folder: Path, content: bytes) -> None:
    """Opens or is refused; what opens here, the gguf library opens too, and sees the same."""
    path = folder / "x.gguf"
    path.write_bytes(content)
    try:
        checkpoint = open_checkpoint(path)
    except CheckpointError as error:
        assert str(error)
        return
    read = {name: bytes(checkpoint.read(name)) for name in checkpoint}
    assert read == {name: data for name, (_, _, _, data) in read_whole(path)[0].items()}
    if _is_laid_out_for_another(checkpoint):
        return
    items = [v.content if isinstance(v.content, tuple) else (v.content,) for v in checkpoint.metadata.values()]
    if any(item != item for row in items for item in row):  # noqa: PLR0124 - reading a NaN sets its quiet bit
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # shapes that overflow beside a dimension of 0
        assert read_whole(path) == as_the_library_reads(path)


def _is_laid_out_for_another(checkpoint: Checkpoint) -> bool:
    """Than the alignment that it states, as llama.cpp's quantizer writes: the gguf library then reads other bytes."""
    stated = checkpoint.metadata.get("general.alignment")
    return stated is not None and stated.content != 32 and all(spec.offset % 32 == 0 for spec in checkpoint.values())


@given(st.binary(max_size=200))
def test_random_bytes_open_or_are_refused(folder: Path, content: bytes) -> None:
    judge(folder, content)


@given(st.binary(max_size=120), st.integers(0, 3), st.integers(0, 3))
def test_random_bytes_behind_an_honest_beginning_open_or_are_refused(
    folder: Path, content: bytes, tensors: int, pairs: int
) -> None:
    judge(folder, b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + content)


@settings(deadline=None)
@given(st.lists(PAIRS, max_size=3), st.lists(TENSORS, max_size=3), st.binary(max_size=200))
def test_parts_put_together_at_random_open_or_are_refused(
    folder: Path, pairs: list[bytes], tensors: list[bytes], data: bytes
) -> None:
    judge(folder, raw_gguf(pairs, tensors, data))


@settings(deadline=None)
@given(st.data())
def test_an_honest_file_with_bytes_changed_opens_or_is_refused(
    folder: Path, honest: bytes, data: st.DataObject
) -> None:
    content = bytearray(honest)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    judge(folder, bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]))


@settings(deadline=None)
@given(st.integers(0, 600), NUMBERS)
def test_an_honest_file_with_a_number_replaced_opens_or_is_refused(
    folder: Path, honest: bytes, position: int, number: int
) -> None:
    judge(folder, honest[:position] + struct.pack("<Q", number) + honest[position + 8 :])


@pytest.mark.faults
@settings(max_examples=5000, deadline=None)
@given(st.data())
def test_many_honest_files_with_bytes_changed_open_or_are_refused(
    folder: Path, honest: bytes, data: st.DataObject
) -> None:
    content = bytearray(honest)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    judge(folder, bytes(content))


@pytest.mark.faults
@settings(max_examples=5000, deadline=None)
@given(st.lists(PAIRS, max_size=4), st.lists(TENSORS, max_size=4), st.binary(max_size=300))
def test_many_parts_put_together_at_random_open_or_are_refused(
    folder: Path, pairs: list[bytes], tensors: list[bytes], data: bytes
) -> None:
    judge(folder, raw_gguf(pairs, tensors, data))


def test_the_honest_file_opens(folder: Path, honest: bytes) -> None:
    judge(folder, honest)
    assert len(read_gguf_header(folder / "x.gguf")[0]) == 3
    assert GGUFValueType.ARRAY in {value.kind for value in read_gguf_header(folder / "x.gguf")[1].values()}
