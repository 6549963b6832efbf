"""GGUF files as they are written: the gguf library's own bytes, whatever the order, and whole again after a kill."""

import itertools
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from blake3 import blake3
from gguf import GGMLQuantizationType, GGUFValueType

from lineal.checkpoint.headers.gguf import read_gguf_header
from lineal.checkpoint.headers.gguf_metadata import Metadata, Value
from lineal.checkpoint.written.gguf_layout import lay_out_gguf
from lineal.checkpoint.written.layout import Layout, Planned
from lineal.checkpoint.written.writer import JOURNAL, CheckpointWriter
from lineal.errors import CheckpointError
from tests.builders import Array
from tests.ggufs import write_gguf

KEY = "key"
METADATA: Metadata = {
    "tokenizer.ggml.tokens": Value(GGUFValueType.ARRAY, ("a", "é"), GGUFValueType.STRING),
    "llama.block_count": Value(GGUFValueType.UINT32, 11),
    "general.architecture": Value(GGUFValueType.STRING, "llama"),
    "general.name": Value(GGUFValueType.STRING, ""),
}
PLANNED = [
    Planned("blk.10.ffn_up.weight", "Q4_0", (5, 32)),
    Planned("output_norm.weight", "F32", (7,)),
    Planned("blk.2.ffn_up.weight", "Q8_0", (3, 64)),
    Planned("blk.2.attn_norm.weight", "F16", (3,)),
    Planned("token_embd.weight", "BF16", (2, 5)),
]
ORDER = [
    "blk.2.attn_norm.weight",
    "blk.2.ffn_up.weight",
    "blk.10.ffn_up.weight",
    "output_norm.weight",
    "token_embd.weight",
]


def values_of(planned: Planned) -> Array:
    return np.random.default_rng(len(planned.name)).standard_normal(planned.shape).astype(np.float32)


def stored(planned: Planned) -> bytes:
    return gguf.quants.quantize(values_of(planned), GGMLQuantizationType[planned.dtype]).tobytes()


def write(writer: CheckpointWriter, planned: Planned) -> None:
    raw = stored(planned)
    for start in range(0, len(raw), 50):
        writer.write(planned, start, memoryview(raw)[start : start + 50])
    writer.finish(planned, blake3(raw).digest(), None)


def by_lineal(folder: Path, layout: Layout) -> bytes:
    with CheckpointWriter(folder, layout, KEY) as writer:
        for planned in PLANNED:
            if planned.name not in writer.leaves:
                write(writer, planned)
        writer.seal()
    (file,) = folder.iterdir()
    return file.read_bytes()


def by_the_library(path: Path, alignment: int | None = None) -> bytes:
    tensors = {p.name: (values_of(p), p.dtype) for name in ORDER for p in PLANNED if p.name == name}
    metadata = {
        "general.architecture": (GGUFValueType.STRING, "llama"),
        "general.name": (GGUFValueType.STRING, ""),
        "llama.block_count": (GGUFValueType.UINT32, 11),
        "tokenizer.ggml.tokens": (GGUFValueType.ARRAY, ["a", "é"], GGUFValueType.STRING),
    }
    return write_gguf(path, tensors, metadata, alignment=alignment).read_bytes()


def test_a_file_is_byte_for_byte_what_the_library_writes_with_blocks_in_order(tmp_path: Path) -> None:
    layout = lay_out_gguf(PLANNED, METADATA, "x.gguf")
    assert list(layout.slots) == ORDER
    assert by_lineal(tmp_path / "ours", layout) == by_the_library(tmp_path / "theirs.gguf")


def test_the_same_tensors_and_metadata_in_any_order_are_the_same_bytes() -> None:
    keys = [dict(pairs) for pairs in itertools.permutations(METADATA.items())]
    layouts = [lay_out_gguf(p, m, "x") for p, m in zip(itertools.permutations(PLANNED), itertools.cycle(keys))]
    assert all(layout == layouts[0] for layout in layouts)
    assert len({bytes(layout.headers["x"]) for layout in layouts}) == 1


def test_numbers_in_names_are_ordered_by_value() -> None:
    names = ["a", "a1", "a01", "a2", "a2.b", "a10", "b"]
    layout = lay_out_gguf([Planned(name, "F32", (1,)) for name in reversed(names)], METADATA, "x")
    assert list(layout.slots) == ["a", "a01", "a1", "a2", "a2.b", "a10", "b"]


def test_an_alignment_of_its_own_is_kept(tmp_path: Path) -> None:
    aligned = {**METADATA, "general.alignment": Value(GGUFValueType.UINT32, 128)}
    path = tmp_path / "x.gguf"
    path.write_bytes(by_lineal(tmp_path / "ours", lay_out_gguf(PLANNED, aligned, "x.gguf")))
    specs, metadata = read_gguf_header(path)
    assert metadata == aligned
    assert all(spec.offset % 128 == 0 for spec in specs.values())
    by_the_library(tmp_path / "theirs.gguf", alignment=128)
    theirs, _ = read_gguf_header(tmp_path / "theirs.gguf")
    assert [(s.name, s.offset) for s in theirs.values()] == [(s.name, s.offset) for s in specs.values()]


@pytest.mark.parametrize("finished", range(len(PLANNED) + 1))
def test_a_file_that_was_killed_is_whole_after_a_resume_and_only_the_rest_is_written(
    tmp_path: Path, finished: int
) -> None:
    layout = lay_out_gguf(PLANNED, METADATA, "x.gguf")
    with CheckpointWriter(tmp_path / "killed", layout, KEY) as writer:
        for planned in PLANNED[:finished]:
            write(writer, planned)
    assert (tmp_path / "killed" / JOURNAL).exists()
    with CheckpointWriter(tmp_path / "killed", layout, KEY) as writer:
        assert writer.leaves.keys() == {planned.name for planned in PLANNED[:finished]}
    assert by_lineal(tmp_path / "killed", layout) == by_lineal(tmp_path / "new", layout)


def test_other_metadata_is_another_file_and_nothing_of_it_is_continued(tmp_path: Path) -> None:
    with CheckpointWriter(tmp_path, lay_out_gguf(PLANNED, METADATA, "x.gguf"), KEY) as writer:
        write(writer, PLANNED[0])
    renamed = {**METADATA, "general.name": Value(GGUFValueType.STRING, "other")}
    with CheckpointWriter(tmp_path, lay_out_gguf(PLANNED, renamed, "x.gguf"), KEY) as writer:
        assert writer.leaves == {}


def refused(planned: Planned, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        lay_out_gguf([planned], METADATA, "x.gguf")


def test_a_tensor_that_no_gguf_can_hold_is_refused() -> None:
    refused(Planned("t", "Q8_0", (64, 16)), r"'t': \[64, 16\] as Q8_0: .* the last a multiple of 32")
    refused(Planned("t", "F32", ()), "1 to 4 dimensions are needed")
    refused(Planned("t", "F32", (1,) * 5), "1 to 4 dimensions are needed")
    refused(Planned("t", "F8_E4M3", (1,)), "GGUF has no type 'F8_E4M3'")
    refused(Planned("n" * 64, "F32", (1,)), "a name in a GGUF has 1 to 63 bytes")
    refused(Planned("", "F32", (1,)), "a name in a GGUF has 1 to 63 bytes")


def test_two_tensors_of_one_name_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"x\.gguf: 'a' is planned twice"):
        lay_out_gguf([Planned("a", "F32", (1,)), Planned("a", "F16", (1,))], METADATA, "x.gguf")


@pytest.mark.parametrize(
    "value", [None, Value(GGUFValueType.STRING, ""), Value(GGUFValueType.UINT32, 1)], ids=["none", "empty", "a number"]
)
def test_a_file_without_an_architecture_is_refused(value: Value | None) -> None:
    metadata = {key: v for key, v in METADATA.items() if key != "general.architecture"}
    with pytest.raises(CheckpointError, match=r"needs general\.architecture, a string"):
        lay_out_gguf(PLANNED, metadata if value is None else {**metadata, "general.architecture": value}, "x.gguf")


@pytest.mark.parametrize(
    "value",
    [
        Value(GGUFValueType.ARRAY, (), GGUFValueType.STRING),
        Value(GGUFValueType.UINT8, 256),
        Value(GGUFValueType.UINT32, "four"),
    ],
    ids=["an empty array", "too large", "a word as a number"],
)
def test_a_value_that_the_library_does_not_write_is_refused(value: Value) -> None:
    with pytest.raises(CheckpointError, match="the metadata cannot be written as a GGUF"):
        lay_out_gguf(PLANNED, {**METADATA, "k": value}, "x.gguf")


@pytest.mark.parametrize(
    "value",
    [
        Value(GGUFValueType.STRING, "a\udcff"),
        Value(GGUFValueType.ARRAY, ("é", "\udcc3\udcff"), GGUFValueType.STRING),
    ],
    ids=["a text", "a list of texts"],
)
def test_a_text_that_is_not_utf8_is_written_as_the_bytes_that_it_was(tmp_path: Path, value: Value) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(by_lineal(tmp_path / "ours", lay_out_gguf(PLANNED, {**METADATA, "k": value}, "x.gguf")))
    assert read_gguf_header(path)[1]["k"] == value


def test_what_is_written_is_what_was_planned(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(by_lineal(tmp_path / "ours", lay_out_gguf(PLANNED, METADATA, "x.gguf")))
    specs, metadata = read_gguf_header(path)
    assert {replace(p) for p in PLANNED} == {Planned(s.name, s.dtype, s.shape) for s in specs.values()}
    assert metadata == METADATA
