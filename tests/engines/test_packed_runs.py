"""Tasks of several tensors in the engine: bytes, resumed runs, notes, memory, and what rounding cost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.derivation.canonical import Json
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.compound import tensors_of
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.engines.stream.notes import measured_in, read_of
from lineal.engines.stream.packed import Packed
from lineal.engines.stream.plan import StreamPlan
from lineal.lineage.records.quantization_report import report_of, roundings_of
from lineal.methods.quantize.grid import Grid, fit, from_codes, to_codes
from tests.builders import read_folder
from tests.engines.packings import DOWN, UP, packed, planned, wide_llama, wide_tensors
from tests.reference.rounding import rounding

OPTIONS: list[dict[str, Any]] = [
    {"scheme": "w4a16"},
    {"scheme": "w3a16", "symmetric": False, "group_size": 32},
    {"scheme": "w8a16", "group_size": "tensor"},
    {"scheme": "fp8_block"},
    {"scheme": "nvfp4"},
]


def measured(plan: StreamPlan) -> StreamPlan:
    return plan.each(lambda job: replace(job, measured=True))


def run(plan: StreamPlan, **options: Any) -> tuple[dict[str, Leaf], dict[str, Json]]:
    sink = Recomputation()
    stream(plan.jobs, sink, **options)
    return sink.leaves, sink.notes


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_threads_shards_and_windows_change_neither_bytes_nor_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    plan = measured(planned(wide_llama(tmp_path / "m"), **options))
    leaves, notes = run(plan, threads=1)
    assert set(leaves) == {tensor.name for tensor in plan.planned}
    for window in (1, 4096, 1 << 15):
        monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
        again, noted = run(plan, threads=3)
        assert again == leaves
        assert measured_in(noted) == measured_in(notes)


def test_what_is_recomputed_has_the_hashes_of_what_is_written(tmp_path: Path) -> None:
    parent = wide_llama(tmp_path / "m")
    plan, out = planned(parent, scheme="w4a16"), tmp_path / "child"
    with CheckpointWriter(out, plan.child.lay_out(plan.planned), "key") as writer:
        stream(plan.jobs, writer)
        written = dict(writer.leaves)
        writer.seal()
    assert written == run(plan)[0]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_run_that_was_stopped_within_a_weight_makes_all_of_it_again(tmp_path: Path, options: dict[str, Any]) -> None:
    parent = wide_llama(tmp_path / "m")
    plan, out = measured(planned(parent, **options)), tmp_path / "child"
    task = next(task for task in plan.jobs if isinstance(task, Packed) and len(tensors_of(task)) > 1)
    layout, first = plan.child.lay_out(plan.planned), tensors_of(task)[0]
    with CheckpointWriter(out, layout, "key") as writer:
        stream([task], writer)
        notes = dict(writer.notes)
    journal = out / ".lineal-progress.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]))  # it had finished one tensor of the weight
    with CheckpointWriter(out, layout, "key") as writer:
        assert set(writer.leaves) == {first.name}
        read = stream(plan.jobs, writer)
        assert {name: writer.notes[name] for name in notes} == notes
        writer.seal()
        plan.child.write_package(out)
    assert read == stream(plan.jobs, Recomputation())
    expected = read_folder(packed(parent, tmp_path / "other", **options))
    assert {name: one.tobytes() for name, one in read_folder(out).items()} == {
        name: one.tobytes() for name, one in expected.items()
    }


def test_every_byte_that_is_planned_is_read_and_told(tmp_path: Path) -> None:
    for scheme in ("w4a16", "nvfp4"):
        plan, told = planned(wide_llama(tmp_path / scheme), scheme=scheme), list[int]()
        stream(plan.jobs, Recomputation(), bytes_done=told.append)
        assert sum(told) == plan.bytes_read


def test_what_was_read_stands_once_with_the_first_tensor_of_a_weight(tmp_path: Path) -> None:
    plan = planned(wide_llama(tmp_path / "m"), scheme="w4a16")
    notes = run(plan)[1]
    assert [file[1] for file in read_of(notes[f"{UP}.weight_packed"])] == [f"{UP}.weight"]
    assert read_of(notes[f"{UP}.weight_scale"]) == []


def test_a_report_has_a_row_a_weight_with_the_bytes_of_all_its_tensors(tmp_path: Path) -> None:
    plan = measured(planned(wide_llama(tmp_path / "m"), scheme="w4a16"))
    leaves, notes = run(plan)
    report = report_of(leaves.values(), measured_in(notes))
    (found,) = (one for (name, _), one in report.tensors.items() if name == f"{UP}.weight")
    held = [leaf for name, leaf in leaves.items() if name.startswith(f"{UP}.")]
    assert found.weights == 256 * 128
    assert found.stored_bytes == sum(leaf.byte_length for leaf in held) == 256 * 64 + 256 * 2 + 16
    assert set(found.parts) == {leaf.name for leaf in held}
    everything = sum(leaf.byte_length for leaf in leaves.values())
    assert report.whole.stored_bytes == everything
    assert report_of(leaves.values(), roundings_of(report.to_json())).to_json() == report.to_json()


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_figures_are_those_of_numpys_float64_but_for_the_last_digits(tmp_path: Path, symmetric: bool) -> None:
    plan = measured(planned(wide_llama(tmp_path / "m"), scheme="w4a16", symmetric=symmetric))
    found = measured_in(run(plan)[1])
    for layer in (UP, DOWN):
        weight, grid = wide_tensors()[f"{layer}.weight"].astype(np.float32), Grid(4, symmetric)
        scales = fit(weight, grid)
        stored = from_codes(to_codes(weight, scales, grid), scales, grid)
        exact, figures = rounding(weight.reshape(-1), stored.reshape(-1), 128), found[f"{layer}.weight"]
        for name in ("squares", "squared_error", "largest_error"):
            assert getattr(figures, name) == pytest.approx(getattr(exact, name), rel=1e-5)
        assert (figures.outliers, figures.shifted_blocks) == (exact.outliers, exact.shifted_blocks)
        assert figures.outliers > 0 or layer != UP


def test_memory_is_that_of_windows_however_large_a_weight_is(tmp_path: Path) -> None:
    small = planned(wide_llama(tmp_path / "s"), scheme="w4a16").working_bytes(2)
    tall = planned(wide_llama(tmp_path / "t", intermediate_size=256 * 64), scheme="w4a16").working_bytes(2)
    assert tall < small + 40_000_000
