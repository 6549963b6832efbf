"""Importance matrices in files: llama.cpp's two forms read, one written, and everything else refused."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter

from lineal.checkpoint.importance.files import read_importance, write_importance
from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.errors import CheckpointError

Q, EXPERTS = "blk.0.attn_q.weight", "blk.0.ffn_down_exps.weight"
SUMS = {Q: np.array([[3.0, 0.7, 10.0, 0.0]], np.float32), EXPERTS: np.array([[1.0, 2.0], [5.0, 7.0]], np.float32)}
COUNTS = {Q: np.array([[7.0]], np.float32), EXPERTS: np.array([[0.0], [3.0]], np.float32)}


def write_gguf(
    path: Path, tensors: Mapping[str, Any], datasets: tuple[str, ...] = ("/home/somebody/wiki.txt",)
) -> Path:
    writer = GGUFWriter(path, "none")
    writer.add_string("general.type", "imatrix")
    writer.add_array("imatrix.datasets", list(datasets))
    writer.add_uint32("imatrix.chunk_count", 5)
    writer.add_uint32("imatrix.chunk_size", 512)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def both(sums: Mapping[str, Any] = SUMS, counts: Mapping[str, Any] = COUNTS) -> dict[str, Any]:
    return {f"{name}.in_sum2": sums[name] for name in sums} | {f"{name}.counts": counts[name] for name in counts}


def dat(*entries: tuple[str, int, list[float]], end: bytes = b"") -> bytes:
    found = struct.pack("<i", len(entries))
    for name, calls, values in entries:
        found += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, len(values))
        found += np.array(values, "<f4").tobytes()
    return found + end


def test_means_are_rounded_to_float32_as_llama_cpp_rounds_them(tmp_path: Path) -> None:
    found = read_importance(write_gguf(tmp_path / "imatrix.gguf", both()))
    expected = [np.float32(value) / np.float32(7) for value in SUMS[Q][0]]
    weights = found.of(Q, (8, 4))
    assert weights is not None
    assert weights.dtype == np.float32
    assert weights.tolist() == [[float(value) for value in expected]]
    assert (found.datasets, found.chunks, found.chunk_size) == (("/home/somebody/wiki.txt",), 5, 512)
    assert found.file == "imatrix.gguf"


def test_an_expert_that_saw_nothing_has_columns_of_one_weight(tmp_path: Path) -> None:
    weights = read_importance(write_gguf(tmp_path / "imatrix.gguf", both())).of(EXPERTS, (2, 8, 2))
    third = np.float32(3)
    assert weights is not None
    assert weights.tolist() == [[1.0, 1.0], [float(np.float32(5) / third), float(np.float32(7) / third)]]


def test_what_was_not_measured_has_no_weights(tmp_path: Path) -> None:
    assert read_importance(write_gguf(tmp_path / "imatrix.gguf", both())).of("output.weight", (8, 4)) is None


def test_the_older_form_is_divided_by_its_calls(tmp_path: Path) -> None:
    path = tmp_path / "imatrix.dat"
    name = b"calibration.txt"
    end = struct.pack("<ii", 12, len(name)) + name
    path.write_bytes(dat((Q, 3, [1.0, 2.0, 0.1]), ("b", 0, [4.0]), end=end))
    found = read_importance(path)
    weights = found.of(Q, (2, 3))
    assert weights is not None
    assert weights.tolist() == [[float(np.float32(value) / np.float32(3)) for value in (1.0, 2.0, 0.1)]]
    assert found.entries["b"].mean.tolist() == [[4.0]]  # of no calls it is taken as it stands
    assert (found.datasets, found.chunks) == (("calibration.txt",), 12)
    path.write_bytes(dat((Q, 3, [1.0])))
    assert (read_importance(path).datasets, read_importance(path).chunks) == ((), 0)


def test_the_older_form_of_stacked_experts_is_one_row_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "imatrix.dat"
    path.write_bytes(dat((EXPERTS, 1, [1.0, 2.0, 3.0, 4.0])))
    weights = read_importance(path).of(EXPERTS, (2, 8, 2))
    assert weights is not None
    assert weights.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_what_is_written_is_read_again_and_by_the_gguf_library(tmp_path: Path) -> None:
    made = ImportanceMatrix(
        {name: Importance(SUMS[name], COUNTS[name][:, 0].astype(np.int64)) for name in (Q, EXPERTS)},
        ("/somewhere/text.txt",),
        7,
        256,
    )
    path = tmp_path / "made.gguf"
    write_importance(path, made)
    found = read_importance(path)
    assert (found.datasets, found.chunks, found.chunk_size) == (("text.txt",), 7, 256)
    for name, entry in made.entries.items():
        assert np.array_equal(found.entries[name].sums, entry.sums)
        assert np.array_equal(found.entries[name].counts, entry.counts)
    reader = GGUFReader(path)
    assert {t.name: t.shape.tolist() for t in reader.tensors} == {
        f"{Q}.in_sum2": [4, 1],
        f"{Q}.counts": [1, 1],
        f"{EXPERTS}.in_sum2": [2, 2],
        f"{EXPERTS}.counts": [1, 2],
    }
    assert reader.fields["general.type"].contents() == "imatrix"
    again = tmp_path / "again.gguf"
    write_importance(again, found)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({f"{Q}.in_sum2": SUMS[Q]}, "'blk.0.attn_q.weight' is needed both with .in_sum2 and with .counts"),
        ({"token_embd.weight": np.ones((2, 2), np.float32)}, "not an importance matrix: 'token_embd.weight'"),
        (both({Q: SUMS[Q].astype(np.float16)}, {Q: COUNTS[Q]}), "is F16; an importance matrix is F32"),
        (both({Q: SUMS[Q]}, {Q: np.ones((3, 1), np.float32)}), "has 4 sums and 3 counts"),
        (both({Q: -SUMS[Q]}, {Q: COUNTS[Q]}), "a sum of squares is neither negative nor infinite"),
        (both({Q: np.full_like(SUMS[Q], np.inf)}, {Q: COUNTS[Q]}), "a sum of squares is neither"),
        (both({Q: SUMS[Q]}, {Q: np.array([[np.nan]], np.float32)}), "counts that are no whole numbers"),
        (both({Q: SUMS[Q]}, {Q: np.array([[-2.0]], np.float32)}), "a count is not negative, got -2"),
        ({}, "it holds no tensor"),
    ],
)
def test_a_gguf_that_is_no_importance_matrix_is_refused(tmp_path: Path, tensors: Mapping[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        read_importance(write_gguf(tmp_path / "wrong.gguf", tensors))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cut off: 4 bytes are missing"),
        (struct.pack("<i", 0), "it says 0 entries"),
        (struct.pack("<i", 1 << 30), "it says 1073741824 entries"),
        (struct.pack("<ii", 1, 1 << 20), "it says 1048576 letters of a name"),
        (dat((Q, 1, [1.0]))[:-1], "4 bytes are missing"),
        (struct.pack("<ii", 1, 1) + b"a" + struct.pack("<ii", 1, (1 << 31) - 1), "8589934588 bytes are missing"),
        (dat(("a\nb", 1, [1.0])), "is no name"),
        (dat(("a", 1, [1.0]), ("a", 1, [1.0])), "names a tensor twice"),
        (dat(("a", 1, [float("nan")])), "'a': a sum of squares is neither"),
        (b"the quick brown fox", "not an importance matrix"),
    ],
)
def test_a_file_that_is_no_importance_matrix_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "wrong.dat"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_importance(path)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.gguf: No such file"):
        read_importance(Path("nowhere.gguf"))


def test_the_matrix_of_another_model_is_told_by_its_tensors(tmp_path: Path) -> None:
    found = read_importance(write_gguf(tmp_path / "imatrix.gguf", both()))
    assert found.faults({Q: (8, 4), EXPERTS: (2, 8, 2), "output.weight": (9, 4)}) == []
    assert found.faults({Q: (8, 5), EXPERTS: (3, 8, 2)}) == [
        "'blk.0.attn_q.weight' has 4 columns, the model's 5",
        "'blk.0.ffn_down_exps.weight' has 4 columns, the model's 6",
    ]
    (none,) = found.faults({"other.weight": (1, 1)})
    assert none == "none of its 2 tensors is one of the model's ('blk.0.attn_q.weight', 'other.weight')"


def test_columns_of_an_embedding_that_are_others_do_not_count(tmp_path: Path) -> None:
    """It is looked up, not multiplied: llama.cpp passes over it."""
    path = tmp_path / "imatrix.dat"
    path.write_bytes(dat((Q, 1, [1.0]), ("token_embd.weight", 1, [1.0, 1.0])))
    found = read_importance(path)
    assert found.faults({Q: (4, 1), "token_embd.weight": (9, 3)}) == []
    assert found.of("token_embd.weight", (9, 3)) is None
