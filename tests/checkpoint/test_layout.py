"""Where tensors will lie: one place whatever their order, aligned, in shards of a bounded size."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.checkpoint.headers.safetensors import BITS, read_header
from lineal.checkpoint.written.layout import Layout, Planned, index_name, lay_out

TENSORS = [
    Planned("b", "BF16", (3, 5)),
    Planned("a", "F32", (2,)),
    Planned("c", "I8", (7,)),
    Planned("é", "F64", (1,)),
    Planned("d", "BOOL", ()),
    Planned("e", "F32", (0, 4)),
]


@st.composite
def planned(draw: st.DrawFn) -> list[Planned]:
    names = draw(
        st.lists(st.text(min_size=1, max_size=5).filter(lambda n: n != "__metadata__"), unique=True, max_size=8)
    )
    shape = st.lists(st.integers(0, 5), max_size=3).map(tuple)
    return [Planned(name, draw(st.sampled_from(sorted(BITS))), draw(shape)) for name in names]


def sizes_written(folder: Path, layout: Layout) -> dict[str, int]:
    """Write the headers, and as many zeros as the layout says."""
    for file, header in layout.headers.items():
        (folder / file).write_bytes(header + bytes(layout.file_sizes[file] - len(header)))
    return {file: (folder / file).stat().st_size for file in layout.headers}


@given(planned(), st.randoms(use_true_random=False), st.integers(1, 100))
def test_the_order_of_the_tensors_does_not_matter(tensors: list[Planned], random: object, shard_bytes: int) -> None:
    shuffled = sorted(tensors, key=lambda _: random.random())  # pyright: ignore[reportAttributeAccessIssue]
    assert lay_out(shuffled, shard_bytes=shard_bytes) == lay_out(tensors, shard_bytes=shard_bytes)


@given(planned(), st.integers(1, 100))
def test_headers_describe_the_slots(
    tmp_path_factory: pytest.TempPathFactory, tensors: list[Planned], shard_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("layout")
    layout = lay_out(tensors, shard_bytes=shard_bytes)
    assert sizes_written(folder, layout) == layout.file_sizes
    found = {spec.name: spec for file in layout.headers for spec in read_header(folder / file)[0].values()}
    assert found.keys() == {tensor.name for tensor in tensors}
    for tensor in tensors:
        spec, slot = found[tensor.name], layout.slots[tensor.name]
        assert (spec.dtype, spec.shape, spec.offset) == (tensor.dtype, tensor.shape, slot.offset)
        assert spec.path.name == slot.file


@given(planned())
def test_every_tensor_is_aligned_to_its_dtype(tensors: list[Planned]) -> None:
    for slot in lay_out(tensors).slots.values():
        assert slot.offset % (BITS[slot.planned.dtype] // 8) == 0


@given(planned(), st.integers(1, 100))
def test_no_shard_is_larger_than_asked_unless_one_tensor_is(tensors: list[Planned], shard_bytes: int) -> None:
    layout = lay_out(tensors, shard_bytes=shard_bytes)
    for file in layout.headers:
        held = [slot.planned.byte_length for slot in layout.slots.values() if slot.file == file]
        assert sum(held) <= shard_bytes or sum(1 for length in held if length) == 1


def test_one_file_has_the_name_that_everybody_reads() -> None:
    layout = lay_out(TENSORS)
    assert (list(layout.headers), layout.index, index_name(layout)) == (["model.safetensors"], None, None)


def test_shards_are_numbered_and_indexed() -> None:
    layout = lay_out(TENSORS, shard_bytes=20)
    assert list(layout.headers) == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    assert index_name(layout) == "model.safetensors.index.json"
    index = json.loads(layout.index or b"")
    assert index["metadata"]["total_size"] == sum(tensor.byte_length for tensor in TENSORS) == 54
    assert index["weight_map"] == {name: slot.file for name, slot in layout.slots.items()}


def test_an_adapter_is_one_file_whatever_its_size() -> None:
    layout = lay_out(TENSORS, "adapter", shard_bytes=1)
    assert list(layout.headers) == ["adapter_model.safetensors"]


def test_the_format_is_named_in_the_metadata_as_transformers_needs_it(tmp_path: Path) -> None:
    sizes_written(tmp_path, lay_out(TENSORS))
    assert read_header(tmp_path / "model.safetensors")[1] == {"format": "pt"}


def test_a_planned_tensor_becomes_a_leaf_once_its_bytes_are_known() -> None:
    leaf = TENSORS[0].leaf(bytes(32))
    assert (leaf.name, leaf.dtype, leaf.shape, leaf.byte_length, leaf.data_hash) == ("b", "BF16", (3, 5), 30, bytes(32))
