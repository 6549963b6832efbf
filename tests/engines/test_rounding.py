"""What rounding costs is measured while a tensor is encoded, exactly, and goes with its note."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.codes.dtypes import decode, encode
from lineal.checkpoint.codes.ggml import BLOCK_CODECS, Encoding
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.checkpoint.written.layout import Planned
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.stream import outputs, tensor_pass
from lineal.engines.stream.compound import Compound, jobs_of
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Job, Recomputation
from lineal.engines.stream.notes import read_of, rounding_of
from lineal.lineage.records.rounding import Rounding, combined
from lineal.methods.merge.linear import Linear
from lineal.methods.quantize.rounding_error import FIGURES, add_rounding_error
from tests.builders import Array
from tests.engines.merges import opened
from tests.engines.quantizations import plan
from tests.llamas import make_llama
from tests.reference.rounding import rounding

DTYPES = ["F32", "F16", "BF16", *sorted(BLOCK_CODECS)]


def weights(elements: int) -> Array:
    """Of many sizes: ordinary, tiny and zero stretches, and a few far out."""
    generator = np.random.default_rng(elements)
    values = (0.02 * generator.standard_normal(elements)).astype(np.float32)
    values[elements // 4 : elements // 3] *= np.float32(1e-6)
    values[elements // 2 : elements // 2 + 700] = 0
    values[:: elements // 7] = 1
    return values


def measured(values: Array, dtype: str) -> Rounding:
    figures, raw = np.zeros(FIGURES), np.empty(byte_length(dtype, values.size), np.uint8)
    stored = np.empty_like(values)
    encode(values, dtype, raw)
    decode(raw, dtype, stored)
    add_rounding_error(values, stored, BLOCKS.get(dtype, (1, 0))[0], figures)
    return Rounding(*figures[:3].tolist(), *map(int, figures[3:]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("elements", [5 * 4096, 4096 + 2048 + 256])
def test_the_figures_are_those_of_numpys_float64(dtype: str, elements: int) -> None:
    values, raw = weights(elements), np.empty(byte_length(dtype, elements), np.uint8)
    stored = np.empty_like(values)
    encode(values, dtype, raw)
    decode(raw, dtype, stored)
    found = measured(values, dtype)
    assert found == rounding(values, stored, BLOCKS.get(dtype, (1, 0))[0])
    assert found.outliers > 0
    assert (found.squared_error > 0) == (dtype != "F32")


def test_any_number_of_values_is_measured() -> None:
    for elements in (1, 31, 4095, 4097):
        values = np.linspace(-1, 1, elements, dtype=np.float32)
        stored = values.astype(np.float16).astype(np.float32)
        figures = np.zeros(FIGURES)
        add_rounding_error(values, stored, 1, figures)
        assert Rounding(*figures[:3].tolist(), *map(int, figures[3:])) == rounding(values, stored, 1)


def test_a_block_whose_error_is_larger_than_itself_is_shifted() -> None:
    values, figures = weights(8192), np.zeros(FIGURES)
    stored = values.copy()
    stored[64:96] *= np.float32(2.5)
    stored[96:128] *= np.float32(1.5)
    add_rounding_error(values, stored, 32, figures)
    assert figures[4] == rounding(values, stored, 32).shifted_blocks == 1


@pytest.mark.parametrize("dtype", ["Q8_0", "Q4_0", "Q4_K", "IQ4_XS"])
@pytest.mark.parametrize("size", [1e-9, 1e-40])
def test_weights_of_which_only_zeros_are_left_are_counted(dtype: str, size: float) -> None:
    values = np.random.default_rng(1).standard_normal(4096).astype(np.float32)
    block = BLOCKS[dtype][0]
    values[block : 2 * block] = np.float32(size)
    values[2 * block : 3 * block] = 0  # nothing is lost of these
    assert measured(values, dtype).shifted_blocks == 1


def test_weights_too_small_for_the_scale_of_their_block_are_shifted_in_k_quants() -> None:
    small = (1e-6 * np.random.default_rng(1).standard_normal(4096)).astype(np.float32)
    found = {dtype: measured(small, dtype).shifted_blocks for dtype in ("Q4_K", "Q8_0")}
    assert found["Q4_K"] > 0
    assert measured(small * np.float32(2e4), "Q4_K").shifted_blocks == 0


def test_what_is_no_number_is_counted_and_nothing_else() -> None:
    values = weights(8192)
    stored, figures = values + np.float32(0.125), np.zeros(FIGURES)
    values[5], values[6], stored[4100] = np.nan, np.inf, np.inf
    add_rounding_error(values, stored, 32, figures)
    assert figures[5] == 3
    assert Rounding(*figures[:3].tolist(), *map(int, figures[3:])) == rounding(values, stored, 32)


def roundings(parent: Path, scheme: str, **options: Any) -> dict[str, Rounding | None]:
    planned, sink = plan(parent, scheme).each(lambda job: replace(job, measured=True)), Recomputation()
    stream(planned.jobs, sink, **options)
    return {name: rounding_of(note) for name, note in sink.notes.items()}


def test_threads_shards_and_windows_do_not_change_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = {"hidden_size": 128, "intermediate_size": 1056}
    expected = roundings(make_llama(tmp_path / "m", **shape), "q4_0", threads=1)
    assert all(one is not None and one.squares > 0 for one in expected.values())
    sharded = make_llama(tmp_path / "other" / "m", shards=5, **shape)
    assert roundings(sharded, "q4_0", threads=3) == expected
    for window in (32, 4096, 1 << 15):
        monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
        assert roundings(sharded, "q4_0") == expected


def test_a_run_that_was_stopped_has_the_figures_of_what_it_had_finished(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    planned, out = plan(parent, "q4_0").each(lambda job: replace(job, measured=True)), tmp_path / "q"
    with CheckpointWriter(out, planned.child.lay_out(planned.planned), "key") as writer:
        stream(planned.jobs[:9], writer)
    with CheckpointWriter(out, planned.child.lay_out(planned.planned), "key") as writer:
        assert len(writer.leaves) == 9
        stream(planned.jobs, writer)
        assert {name: rounding_of(note) for name, note in writer.notes.items()} == roundings(parent, "q4_0")


def test_nothing_is_measured_that_is_not_asked_for(tmp_path: Path) -> None:
    sink = Recomputation()
    stream(plan(make_llama(tmp_path / "m"), "q8_0").jobs, sink)
    assert {rounding_of(note) for note in sink.notes.values()} == {None}


def test_parts_of_a_tensor_are_measured_as_one(tmp_path: Path) -> None:
    values = weights(3 * 4096 + 512).reshape(2, -1)
    model = opened(tmp_path / "m", {"0": values[0], "1": values[1]})
    parts = tuple(
        Job(Planned(name, "Q8_0", model[name].shape), (model[name],), method=Linear(), measured=True) for name in "01"
    )
    sink = Recomputation()
    whole = Compound(Planned("both", "Q8_0", (2, values.shape[1])), parts)
    stream([whole], sink)
    assert rounding_of(sink.notes["both"]) == combined(measured(part, "Q8_0") for part in values)
    assert len(read_of(sink.notes["both"])) == 4


def test_where_columns_are_weighed_windows_are_whole_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", 4096)
    model = opened(tmp_path / "m", {"w": weights(96 * 100).reshape(100, 96)})
    encoding = Encoding(importance=np.ones(96, np.float32))
    encoded: list[tuple[int, Encoding]] = []

    def noted(values: Array, dtype: str, raw: Array, how: Encoding) -> bool:
        encoded.append((values.size, how))
        return encode(values, dtype, raw)

    monkeypatch.setattr(outputs, "encode", noted)
    job = Job(Planned("w", "Q8_0", (100, 96)), (model["w"],), method=Linear(), encoding=encoding)
    stream([job], Recomputation())
    assert [size for size, _ in encoded] == [42 * 96, 42 * 96, 16 * 96]
    assert all(how is encoding for _, how in encoded)
    assert jobs_of(job) == (job,)


def test_decibels_are_those_of_the_ratio_of_the_sums() -> None:
    assert Rounding(squares=2e4, squared_error=2.0).decibels == 40
    assert Rounding(squares=3.0, squared_error=1.0).decibels == 4.7712
    assert Rounding(squares=3.0).decibels is None
    assert Rounding(squared_error=3.0).decibels is None
