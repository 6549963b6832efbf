"""The streaming engine: what it refuses while it reads, what it copies, and what it says it read."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.engines.merge.plan import plan_merge
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.errors import CheckpointError
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties
from tests.builders import Array, make_adapter, make_checkpoint, random_tensors, read_folder, same_bits
from tests.engines.merges import merge, opened, parents, similar_models, write

BF16 = ml_dtypes.bfloat16
SHAPES = {"a.weight": (70, 100), "b.weight": (5,), "c": ()}


def spoiled(value: float, dtype: Any = np.float32, place: int = 4321) -> dict[str, Array]:
    tensors = random_tensors(1, SHAPES, dtype)
    tensors["a.weight"].reshape(-1)[place] = value
    return tensors


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, BF16, ml_dtypes.float8_e5m2])
def test_what_is_not_finite_in_a_parent_is_refused_and_named(tmp_path: Path, value: float, dtype: Any) -> None:
    good = opened(tmp_path / "good", random_tensors(1, SHAPES, dtype))
    bad = opened(tmp_path / "bad", spoiled(value, dtype))
    with pytest.raises(CheckpointError, match=r"^bad: (nan|-?inf) at element 4321 of 'a\.weight'.*--allow-nonfinite"):
        stream(plan_merge(Linear(), [good, bad]).jobs, Recomputation())


def test_what_is_not_finite_in_the_base_is_refused_and_named(tmp_path: Path) -> None:
    model, base = opened(tmp_path / "model", random_tensors(1, SHAPES)), opened(tmp_path / "base", spoiled(np.nan))
    with pytest.raises(CheckpointError, match=r"^base: nan at element 4321 of 'a\.weight'"):
        stream(plan_merge(Ties(), [model], base).jobs, Recomputation())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_on_request_what_is_not_finite_is_kept(tmp_path: Path, value: float) -> None:
    models = [random_tensors(1, SHAPES), spoiled(value)]
    merged = merge(tmp_path, Linear(), models, {}, allow_nonfinite=True)
    finite = np.isfinite(merged["a.weight"].reshape(-1))
    assert np.flatnonzero(~finite).tolist() == [4321]


def test_a_double_too_large_for_float32_is_refused(tmp_path: Path) -> None:
    bad = opened(tmp_path / "bad", spoiled(1e300, np.float64))
    with pytest.raises(CheckpointError, match="bad: inf at element 4321"):
        stream(plan_merge(Linear(), [bad, bad]).jobs, Recomputation())


@pytest.mark.parametrize(("dtype", "name"), [(np.float16, "F16"), (ml_dtypes.float8_e4m3fn, "F8_E4M3")])
def test_a_child_that_overflows_its_dtype_is_refused(tmp_path: Path, dtype: Any, name: str) -> None:
    largest = float(ml_dtypes.finfo(dtype).max)
    parent = opened(tmp_path / "parent", spoiled(largest, dtype))
    with pytest.raises(CheckpointError, match=rf"^the child: .* at element 4321 of 'a\.weight' \(as {name}\)"):
        stream(plan_merge(Linear(weights=(1.0,), normalize=False), [parent, parent]).jobs, Recomputation())
    assert stream(plan_merge(Linear(), [parent, parent]).jobs, Recomputation())


def test_tensors_that_are_not_numbers_to_compute_with_are_copied(tmp_path: Path) -> None:
    copied: dict[str, Array] = {
        "ids": np.arange(200_000, dtype=np.int64),
        "mask": np.array([True, False, True]),
        "codes": np.zeros((0, 3), np.uint8),
    }
    models = [{**random_tensors(i, SHAPES), **copied} for i in (1, 2)]
    merged = merge(tmp_path, Linear(), models, {})
    assert all(same_bits(merged[name], values) for name, values in copied.items())


def test_tensors_that_are_copied_must_agree(tmp_path: Path) -> None:
    one = opened(tmp_path / "one", {"ids": np.arange(9), "a": np.zeros(1, np.float32)})
    two = opened(tmp_path / "two", {"ids": np.arange(1, 10), "a": np.zeros(1, np.float32)})
    with pytest.raises(
        CheckpointError, match=r"two/model.safetensors: 'ids' \(I64\) differs from the one in .*one/model"
    ):
        stream(plan_merge(Linear(), [one, two]).jobs, Recomputation())


def test_the_base_too_must_agree_with_what_is_copied(tmp_path: Path) -> None:
    base = opened(tmp_path / "base", {"ids": np.arange(9)})
    same, other = (
        opened(tmp_path / "same", {"ids": np.arange(9)}),
        opened(tmp_path / "other", {"ids": np.zeros(9, int)}),
    )
    assert stream(plan_merge(Ties(), [same], base).jobs, Recomputation())
    with pytest.raises(CheckpointError, match=r"differs from the one in .*base"):
        stream(plan_merge(Ties(), [same, other], base).jobs, Recomputation())


@pytest.mark.parametrize("shards", [1, 3])
def test_the_hashes_of_the_inputs_are_those_of_their_folders(tmp_path: Path, shards: int) -> None:
    base, models = similar_models(2, BF16)
    for tensors in (base, *models):
        dict(tensors)["ids"] = np.arange(5)
    stored, origin = parents(tmp_path, Ties(), models, base, (shards, 2))
    found = stream(plan_merge(Ties(), stored, origin).jobs, Recomputation(), threads=2)
    for folder in ("model0", "model1", "base"):
        expected = {leaf.name: leaf.data_hash for leaf in hash_folder(tmp_path / folder).manifest.leaves}
        here = {path: hashes for path, hashes in found.items() if Path(path).parent == tmp_path / folder}
        assert {name: digest for hashes in here.values() for name, digest in hashes.items()} == expected
        for path, hashes in here.items():
            assert {open_checkpoint(tmp_path / folder)[name].path for name in hashes} == {Path(path)}


def test_the_hashes_of_an_adapter_are_returned_too(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "base", random_tensors(1, SHAPES))
    pairs = {"a": (np.ones((2, 100), BF16), np.ones((70, 2), BF16))}
    adapter = make_adapter(tmp_path / "adapter", pairs)
    found = stream(adapted_plan(tmp_path), Recomputation())
    expected = {leaf.name: leaf.data_hash for leaf in hash_folder(adapter).manifest.leaves}
    assert found[str(adapter / "adapter_model.safetensors")] == expected


def adapted_plan(folder: Path) -> Any:
    from lineal.engines.parents.model import full_model

    base = open_checkpoint(folder / "base")
    model = full_model("adapter", base, open_checkpoint(folder / "adapter"))
    return plan_merge(AdapterMerge(), [model]).jobs


def test_recomputing_finds_the_leaves_that_were_written(tmp_path: Path) -> None:
    base, models = similar_models(2, BF16)
    stored, origin = parents(tmp_path, Ties(), models, base)
    plan = plan_merge(Ties(), stored, origin)
    write(plan, tmp_path / "child")
    again = Recomputation()
    stream(plan.jobs, again)
    assert again.leaves == {leaf.name: leaf for leaf in hash_folder(tmp_path / "child").manifest.leaves}


def test_progress_counts_every_byte_of_every_pass(tmp_path: Path) -> None:
    base, models = similar_models(2, np.float32)
    stored, origin = parents(tmp_path, Ties(), models, base)
    plan = plan_merge(Ties(), stored, origin)
    counts: list[int] = []
    stream(plan.jobs, Recomputation(), bytes_done=counts.append)
    assert (
        sum(counts)
        == plan.bytes_read
        == 3 * sum(sum(t.nbytes for t in tensors.values()) for tensors in (base, *models))
    )


class FaultySink:
    """Fails at one tensor, once another thread is in the middle of a tensor of its own."""

    def __init__(self, fails_at: str) -> None:
        self.leaves: dict[str, Leaf] = {}
        self.notes: dict[str, Json] = {}
        self.fails_at, self.other_began, self.failed = fails_at, threading.Event(), threading.Event()
        self.written_after: list[str] = []

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        if planned.name == self.fails_at:
            assert self.other_began.wait(30)
            self.failed.set()
            raise OSError(28, "No space left on device")
        self.other_began.set()
        assert self.failed.wait(30)
        self.written_after.append(planned.name)

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        self.leaves[planned.name] = Leaf(planned.name, planned.dtype, planned.shape, 0, data_hash)


def test_the_first_error_stops_all_threads_and_is_the_one_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", 4096)
    monkeypatch.setattr("lineal.engines.stream.engine.SMALL_BYTES", 0)
    shapes = {"fails": (4096 * 200,), "long": (4096 * 199,), **{f"waits{i}": (5,) for i in range(50)}}
    model = opened(tmp_path / "model", {name: np.zeros(shape, np.float16) for name, shape in shapes.items()})
    sink, before = FaultySink("fails"), threading.active_count()
    with pytest.raises(OSError, match="No space left"):
        stream(plan_merge(Linear(), [model, model]).jobs, sink, threads=2)
    assert len(sink.written_after) < 190  # the other thread stopped in the middle of its tensor
    assert sink.leaves == {}
    assert threading.active_count() == before


def test_an_error_stops_the_small_tensors_behind_it(tmp_path: Path) -> None:
    model = opened(tmp_path / "model", random_tensors(1, {f"s{number:02}": (5,) for number in range(50)}))
    sink = FaultySink("s07")
    sink.other_began.set()
    sink.failed.set()
    with pytest.raises(OSError, match="No space left"):
        stream(plan_merge(Linear(), [model, model]).jobs, sink, threads=2)
    assert list(sink.leaves) == [f"s{number:02}" for number in range(7)]


def test_an_interrupt_stops_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lineal.engines.stream.engine.wait", interrupted)
    model = opened(tmp_path / "model", random_tensors(1, {f"{i}": (50_000,) for i in range(20)}))
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        stream(plan_merge(Linear(), [model, model]).jobs, Recomputation(), threads=2)
    assert threading.active_count() == before


def test_a_pool_that_is_given_carries_the_tasks_and_is_left_open(tmp_path: Path) -> None:
    model = opened(tmp_path / "model", random_tensors(1, {"a.weight": (70, 1000), "b.weight": (90, 1000)}))
    jobs = plan_merge(Linear(), [model, model]).jobs
    own, given = Recomputation(), Recomputation()
    carried: list[str] = []
    with ThreadPoolExecutor(1, initializer=lambda: carried.append(threading.current_thread().name)) as pool:
        assert stream(jobs, given, pool=pool) == stream(jobs, own)
        assert pool.submit(len, "open").result() == 4
    assert len(carried) == 1
    assert given.leaves == own.leaves


def test_what_the_sink_has_is_not_computed_again(tmp_path: Path) -> None:
    base, models = similar_models(1, np.float32)
    stored, origin = parents(tmp_path, TaskArithmetic(), models, base)
    plan = plan_merge(TaskArithmetic(), stored, origin)
    sink = Recomputation()
    first = stream(plan.jobs[:3], sink)
    counts: list[int] = []
    second = stream(plan.jobs, sink, bytes_done=counts.append)
    assert sum(counts) == sum(job.bytes_read for job in plan.jobs[3:])
    assert all(second[path].items() >= hashes.items() for path, hashes in first.items())


@pytest.mark.parametrize("damage", [lambda size: size - 1, lambda _: 200], ids=["one byte", "nearly all"])
def test_a_parent_that_shrinks_meanwhile_is_an_error(tmp_path: Path, damage: Callable[[int], int]) -> None:
    model = opened(tmp_path / "model", random_tensors(1, SHAPES))
    plan = plan_merge(Linear(), [model, model])
    path = tmp_path / "model" / "model.safetensors"
    with path.open("r+b") as file:
        file.truncate(damage(path.stat().st_size))
    with pytest.raises(CheckpointError, match="changed while it was read"):
        stream(plan.jobs, Recomputation())


def test_parents_of_different_dtypes_are_merged_in_float32(tmp_path: Path) -> None:
    half, whole = random_tensors(1, SHAPES, np.float16), random_tensors(2, SHAPES, np.float32)
    merged = merge(tmp_path, Linear(), [whole, half], {})
    for name in SHAPES:
        expected = whole[name] * np.float32(0.5) + half[name].astype(np.float32) * np.float32(0.5)
        assert np.array_equal(merged[name], expected)
    assert read_folder(tmp_path / "child").keys() == SHAPES.keys()
