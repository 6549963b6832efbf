"""GGUF headers: what the gguf library writes is read as it reads it, and what an enemy writes is refused."""

import struct
import time
from pathlib import Path
from typing import Any

import gguf
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from lineal.checkpoint.headers.gguf import read_gguf_header
from lineal.checkpoint.headers.gguf_metadata import FORMATS, Metadata, Value
from lineal.errors import CheckpointError
from tests.ggufs import (
    METADATA,
    as_the_library_reads,
    pair,
    random_gguf,
    random_values,
    raw_gguf,
    tensor,
    text,
)

KINDS = GGUFValueType
EVERY_KIND: dict[str, Any] = {
    "general.architecture": (KINDS.STRING, "llama"),
    "u8": (KINDS.UINT8, 255),
    "i8": (KINDS.INT8, -128),
    "u16": (KINDS.UINT16, 65535),
    "i16": (KINDS.INT16, -32768),
    "u32": (KINDS.UINT32, 2**32 - 1),
    "i32": (KINDS.INT32, -(2**31)),
    "f32": (KINDS.FLOAT32, 1.5),
    "yes": (KINDS.BOOL, True),
    "no": (KINDS.BOOL, False),
    "text": (KINDS.STRING, "é\n\0"),
    "u64": (KINDS.UINT64, 2**64 - 1),
    "i64": (KINDS.INT64, -(2**63)),
    "f64": (KINDS.FLOAT64, -0.1),
    "numbers": (KINDS.ARRAY, [3, -4, 5], KINDS.INT32),
    "truths": (KINDS.ARRAY, [True, False], KINDS.BOOL),
    "texts": (KINDS.ARRAY, ["", "a", "\U0001f600"], KINDS.STRING),
}
F32, Q8_0 = GGMLQuantizationType.F32, GGMLQuantizationType.Q8_0


def stored(metadata: Metadata) -> dict[str, Any]:
    """Kinds and raw parts of every value, as `as_the_library_reads` has them."""

    def part(kind: str, item: Any) -> bytes:
        return item.encode(errors="surrogateescape") if kind == "STRING" else struct.pack("<" + FORMATS[kind], item)

    found: dict[str, Any] = {}
    for key, value in metadata.items():
        items = value.content if isinstance(value.content, tuple) else (value.content,)
        kind = (value.items or value.kind).name
        # of an empty array, the library does not tell the kind of its items
        kinds = [value.kind] if value.items is None or not items else [value.kind, value.items]
        found[key] = ([int(k) for k in kinds], [part(kind, item) for item in items])
    return found


def read_whole(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    specs, metadata = read_gguf_header(path)
    content = path.read_bytes()
    tensors = {
        name: (spec.dtype, spec.shape, spec.offset, content[spec.offset : spec.offset + spec.byte_length])
        for name, spec in specs.items()
    }
    return tensors, stored(metadata)


@pytest.mark.parametrize("alignment", [None, 8, 32, 64, 4096])
def test_what_the_library_writes_is_read_as_it_reads_it(tmp_path: Path, alignment: int | None) -> None:
    path = random_gguf(tmp_path / "x.gguf", metadata=EVERY_KIND, alignment=alignment)
    assert read_whole(path) == as_the_library_reads(path)


def test_values_come_back_with_their_kinds(tmp_path: Path) -> None:
    _, metadata = read_gguf_header(random_gguf(tmp_path / "x.gguf", metadata=EVERY_KIND))
    expected = {
        key: Value(kind, tuple(content) if items else content, *items)
        for key, (kind, content, *items) in EVERY_KIND.items()
    }
    assert metadata == expected


def test_shapes_are_in_numpys_order_and_tensors_in_the_files(tmp_path: Path) -> None:
    specs, _ = read_gguf_header(random_gguf(tmp_path / "x.gguf"))
    assert [(spec.name, spec.shape, spec.dtype) for spec in specs.values()] == [
        (name, values.shape, kind) for name, (values, kind) in random_values(1).items()
    ]


@pytest.mark.parametrize("kind", sorted(set(GGMLQuantizationType) - {GGMLQuantizationType.Q8_1}), ids=lambda k: k.name)
def test_a_tensor_of_any_type_is_read_whether_it_can_be_decoded_or_not(
    tmp_path: Path, kind: GGMLQuantizationType
) -> None:
    values, size = GGML_QUANT_SIZES[kind]
    data = bytes(range(size)) * 6 if size < 256 else bytes(6 * size)
    path = tmp_path / "x.gguf"
    path.write_bytes(raw_gguf(tensors=[tensor("t", (2 * values, 3), kind, 0)], data=data))
    assert read_whole(path) == as_the_library_reads(path)
    spec = read_gguf_header(path)[0]["t"]
    assert (spec.dtype, spec.shape, spec.byte_length) == (kind.name, (3, 2 * values), 6 * size)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("tail", [0, 28], ids=["no padding at the end", "padding at the end"])
def test_versions_2_and_3_are_read_with_and_without_padding_at_the_end(tmp_path: Path, version: int, tail: int) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw_gguf(tensors=[tensor("t", (1,), F32, 0)], data=bytes(4 + tail), version=version))
    assert read_whole(path) == as_the_library_reads(path)


@pytest.mark.parametrize("alignment", [1, 32])
def test_a_vocabulary_without_tensors_is_read(tmp_path: Path, alignment: int) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw_gguf([pair("a", KINDS.UINT8, b"\7")], alignment=alignment))
    assert read_gguf_header(path) == ({}, {"a": Value(KINDS.UINT8, 7)})


def test_a_tensor_of_no_elements_and_one_of_no_dimensions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    described = [tensor("none", (0, 4), F32, 0), tensor("one", (), F32, 0), tensor("two", (2,), F32, 32)]
    path.write_bytes(raw_gguf(tensors=described, data=bytes(40)))
    assert {name: spec.shape for name, spec in read_gguf_header(path)[0].items()} == {
        "none": (4, 0),
        "one": (),
        "two": (2,),
    }


def test_strings_that_are_not_utf8_come_back_as_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw_gguf([pair("t", KINDS.ARRAY, struct.pack("<IQ", KINDS.STRING, 1) + text(b"\xff\xc3a"))]))
    assert read_whole(path) == as_the_library_reads(path)


def test_a_large_vocabulary_is_read_in_a_fraction_of_the_librarys_time(tmp_path: Path) -> None:
    tokens = [f"token {i}" for i in range(20_000)]
    metadata = {**METADATA, "tokenizer.ggml.tokens": (KINDS.ARRAY, tokens, KINDS.STRING)}
    path = random_gguf(tmp_path / "x.gguf", metadata=metadata)
    began = time.perf_counter()
    _, found = read_gguf_header(path)
    ours = time.perf_counter() - began
    gguf.GGUFReader(path)
    assert found["tokenizer.ggml.tokens"].content == tuple(tokens)
    assert ours < (time.perf_counter() - began) / 3


def array(kind: int, count: int, content: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + content


ONE = [tensor("t", (1,), F32, 0)]
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "truncated"),
    "another format": (raw_gguf(magic=b"GGML"), "not a GGUF: it begins with b'GGML'"),
    "version 1": (raw_gguf(version=1), "GGUF version 1; 2 and 3 are read"),
    "version 4": (raw_gguf(version=4), "GGUF version 4"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "a big-endian GGUF"),
    "more tensors than bytes": (raw_gguf(counts=(2**63, 0)), "tensors and 0 keys in a file of"),
    "more keys than bytes": (raw_gguf(counts=(0, 2**40)), "0 tensors and 1099511627776 keys"),
    "a tensor that is not there": (raw_gguf(counts=(1, 0), data=bytes(20)), "a name of 0 bytes"),
    "a long key": (raw_gguf([text(b"k" * 65536) + bytes(9)]), "a name of 65536 bytes; 1 to 65535"),
    "a key that ends outside": (raw_gguf([struct.pack("<Q", 60000)], counts=(0, 1), data=bytes(32)), "truncated"),
    "a key that is not UTF-8": (raw_gguf([pair(b"\xff", 0, b"\0")]), "is not UTF-8"),
    "a key of two lines": (raw_gguf([pair("a\nb", 0, b"\0")]), r"the name 'a\\nb' has characters"),
    "a name with an escape": (raw_gguf(tensors=[tensor("\x1b[2J", (1,), F32, 0)], data=bytes(4)), r"\\x1b"),
    "a key twice": (raw_gguf([pair("a", 0, b"\0")] * 2), "names 'a' twice"),
    "a tensor twice": (raw_gguf(tensors=ONE * 2, data=bytes(4)), "names 't' twice"),
    "an unknown kind": (raw_gguf([pair("a", 13, b"\0")]), "unknown kind 13"),
    "an unknown kind of items": (raw_gguf([pair("a", 9, array(13, 0))]), "unknown kind 13"),
    "an array of arrays": (raw_gguf([pair("a", 9, array(9, 1, array(0, 1, b"\0")))]), "an array of arrays"),
    "a truth that is neither": (raw_gguf([pair("a", 7, b"\2")]), "neither 0 nor 1"),
    "an array that is too long": (raw_gguf([pair("a", 9, array(0, 2**23 + 1))]), "more than 8388608 items"),
    "strings that are not there": (raw_gguf([pair("a", 9, array(8, 2**22))]), "truncated"),
    "a string longer than the file": (raw_gguf([pair("a", 8, struct.pack("<Q", 2**62))]), "truncated"),
    "many dimensions": (raw_gguf(tensors=[tensor("t", (1,) * 5, F32, 0)], data=bytes(4)), "has 5 dimensions"),
    "a rank of billions": (
        raw_gguf(tensors=[text("t") + struct.pack("<I", 2**32 - 1) + bytes(20)]),
        "has 4294967295 dimensions",
    ),
    "an endless dimension": (raw_gguf(tensors=[tensor("t", (2**63,), F32, 0)]), "not a shape"),
    "a product that overflows": (raw_gguf(tensors=[tensor("t", (2**32, 2**32), F32, 0)]), "truncated"),
    "an unknown type": (raw_gguf(tensors=[tensor("t", (1,), 4, 0)], data=bytes(4)), "unknown ggml type 4"),
    "rows of broken blocks": (raw_gguf(tensors=[tensor("t", (16, 2), Q8_0, 0)], data=bytes(34)), "not whole blocks"),
    "a block of no dimensions": (raw_gguf(tensors=[tensor("t", (), Q8_0, 0)], data=bytes(34)), "not whole blocks"),
    "data that is not there": (raw_gguf(tensors=ONE), "truncated"),
    "an offset beyond the end": (
        raw_gguf(tensors=[tensor("t", (1,), F32, 2**63)], data=bytes(4)),
        "is not at the next",
    ),
    "an offset that is not aligned": (
        raw_gguf(tensors=[tensor("t", (1,), F32, 4)], data=bytes(8)),
        "is not at the next",
    ),
    "an overlap": (
        raw_gguf(tensors=[tensor("a", (9,), F32, 0), tensor("b", (1,), F32, 32)], data=bytes(64)),
        "'b' overlaps 'a'",
    ),
    "a hidden gap": (
        raw_gguf(tensors=[tensor("a", (1,), F32, 0), tensor("b", (1,), F32, 64)], data=bytes(68)),
        "'b' is not at the next multiple of the alignment after 'a'",
    ),
    "bytes at the end": (raw_gguf(tensors=ONE, data=bytes(33)), "bytes left over"),
    "an alignment of 0": (raw_gguf([pair("general.alignment", 4, bytes(4))]), "power of two"),
    "an alignment of 24": (raw_gguf([pair("general.alignment", 4, b"\x18\0\0\0")]), "power of two"),
    "an alignment of 2^31": (raw_gguf([pair("general.alignment", 4, b"\0\0\0\x80")]), "power of two"),
    "an alignment in words": (raw_gguf([pair("general.alignment", 8, text("32"))]), "a UINT32 is needed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_true_is_refused_in_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_gguf_header(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_every_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    whole = random_gguf(tmp_path / "x.gguf")
    content = whole.read_bytes()
    last = max(spec.offset + spec.byte_length for spec in read_gguf_header(whole)[0].values())
    for length in range(0, last, 3):
        whole.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            read_gguf_header(whole)
    whole.write_bytes(content[:last])
    assert read_gguf_header(whole)[0].keys() == random_values(1).keys()


def test_a_header_beyond_any_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw_gguf([pair("a", 8, struct.pack("<Q", 10**9))], counts=(0, 1)))
    with path.open("r+b") as file:
        file.truncate(2 * 10**9)
    with pytest.raises(CheckpointError, match="a header of more than 100000000 bytes"):
        read_gguf_header(path)


def test_tensors_need_not_be_described_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    described = [tensor("b", (1,), F32, 32), tensor("a", (1,), F32, 0)]
    path.write_bytes(raw_gguf(tensors=described, data=bytes(36)))
    assert list(read_gguf_header(path)[0]) == ["a", "b"]


@pytest.mark.parametrize("stated", [8, 64, 4096])
@pytest.mark.parametrize("longer", [0, 8, 16, 24, 32, 40, 48, 56])
def test_a_file_that_states_one_alignment_and_is_laid_out_for_32_is_read_where_its_tensors_lie(
    tmp_path: Path, stated: int, longer: int
) -> None:
    """As llama.cpp's quantizer writes: it hands the key on, begins the data at 32 and pads every tensor to it."""
    path = tmp_path / "x.gguf"
    keys = [pair("general.alignment", KINDS.UINT32, struct.pack("<I", stated)), pair("a", 8, text("a" * longer))]
    described = [tensor("a", (9,), F32, 0), tensor("b", (3,), F32, 64), tensor("c", (8,), F32, 96)]
    data = bytes([1] * 36 + [0] * 28 + [2] * 12 + [0] * 20 + [3] * 32)
    path.write_bytes(raw_gguf(keys, described, data, alignment=32))
    specs, content = read_gguf_header(path)[0], path.read_bytes()
    found = {spec.name: set(content[spec.offset : spec.offset + spec.byte_length]) for spec in specs.values()}
    assert found == {"a": {1}, "b": {2}, "c": {3}}


def test_a_file_laid_out_for_neither_its_alignment_nor_32_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    keys = [pair("general.alignment", KINDS.UINT32, struct.pack("<I", 64))]
    described = [tensor("a", (1,), F32, 0), tensor("b", (1,), F32, 128)]
    path.write_bytes(raw_gguf(keys, described, bytes(192), alignment=64))
    with pytest.raises(CheckpointError, match="'b' is not at the next multiple of the alignment after 'a'"):
        read_gguf_header(path)
