"""A merge before a weight is read: everything that cannot be merged is named at once, from the headers."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream.plan import OrdinaryFolder
from lineal.errors import CheckpointError, MethodError
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties
from tests.builders import CONFIG, Array, make_adapter, make_checkpoint, make_tokenizer, random_tensors

SHAPES = {"a.weight": (3, 4), "b.weight": (5,), "c.bias": (2,)}


def model(folder: Path, tensors: dict[str, Array] | None = None, **config: Any) -> Model:
    stored = random_tensors(1, SHAPES) if tensors is None else tensors
    return full_model(folder.name, open_checkpoint(make_checkpoint(folder, stored, {**CONFIG, **config})))


def test_a_plan_has_a_job_for_every_tensor(tmp_path: Path) -> None:
    one, two, base = (model(tmp_path / name) for name in ("one", "two", "base"))
    plan = plan_merge(Ties(), [one, two], base)
    assert {job.planned.name for job in plan.jobs} == set(SHAPES)
    assert plan.child == OrdinaryFolder(base.folder)
    assert plan.bytes_read == 3 * 3 * 4 * (12 + 5 + 2)
    assert [planned.dtype for planned in plan.planned] == ["F32"] * 3


def test_without_a_base_the_first_parent_gives_config_and_dtype(tmp_path: Path) -> None:
    half = model(tmp_path / "half", random_tensors(1, SHAPES, ml_dtypes.bfloat16))
    whole = model(tmp_path / "whole")
    for models, dtype in (([half, whole], "BF16"), ([whole, half], "F32")):
        plan = plan_merge(Linear(), models)
        assert plan.child == OrdinaryFolder(models[0].folder)
        assert {planned.dtype for planned in plan.planned} == {dtype}


def test_an_optional_base_is_read_and_gives_the_config_where_there_is_one(tmp_path: Path) -> None:
    one, two, base = (model(tmp_path / name) for name in ("one", "two", "base"))
    alone, on_base = plan_merge(NuSlerp(), [one, two]), plan_merge(NuSlerp(), [one, two], base)
    assert (alone.bytes_read, on_base.bytes_read) == (2 * 2 * 4 * (12 + 5 + 2), 2 * 3 * 4 * (12 + 5 + 2))
    assert (alone.child, on_base.child) == (OrdinaryFolder(one.folder), OrdinaryFolder(base.folder))


def test_a_tensor_that_several_parents_share_is_read_once(tmp_path: Path) -> None:
    one, base = model(tmp_path / "one"), model(tmp_path / "base")
    plan = plan_merge(TaskArithmetic(), [one, base, one], base)
    assert plan.bytes_read == 2 * 4 * (12 + 5 + 2)


def test_nothing_of_the_weights_is_read(tmp_path: Path) -> None:
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    for parent in (one, two):
        (parent.folder / "model.safetensors").unlink()
    assert len(plan_merge(Linear(), [one, two]).jobs) == 3


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    base = model(tmp_path / "base")
    make_tokenizer(base.folder, {"a": 0, "b": 1, "c": 2})
    odd = random_tensors(2, {"a.weight": (4, 3), "c.bias": (2,), "d.weight": (1,)})
    odd["c.bias"] = np.zeros(2, np.int32)
    other = model(tmp_path / "other", odd, tie_word_embeddings=True)
    make_tokenizer(other.folder, {"a": 0, "b": 2, "c": 1, "d": 3})
    with pytest.raises(CheckpointError) as caught:
        plan_merge(Ties(), [other], base)
    assert str(caught.value) == (
        "ties: these models cannot be merged: other has no 'b.weight'; base has no 'd.weight', other has; "
        "'a.weight' is [3, 4] in base, [4, 3] in other; 'c.bias' is F32 in base, I32 in other; "
        "other ties its output head to the embedding, base does not tie; "
        "the vocabularies differ (3 and 4 tokens): 'b' is id 1 in base, 2 in other"
    )


def test_faults_of_every_parent_are_named(tmp_path: Path) -> None:
    parents = [
        model(tmp_path / name, random_tensors(1, {"a": (size,)})) for name, size in [("x", 2), ("y", 3), ("z", 4)]
    ]
    with pytest.raises(CheckpointError, match=r"in x, \[3\] in y; 'a' is \[2\] in x, \[4\] in z"):
        plan_merge(Linear(), parents)


def test_very_many_faults_are_counted(tmp_path: Path) -> None:
    one = model(tmp_path / "one", random_tensors(1, {f"{i:02}": (1,) for i in range(30)}))
    two = model(tmp_path / "two", random_tensors(1, {f"{i:02}": (2,) for i in range(30)}))
    with pytest.raises(CheckpointError, match=r"'11' is .*; and 18 more$"):
        plan_merge(Linear(), [one, two])


def test_a_token_that_one_lacks_is_named(tmp_path: Path) -> None:
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    make_tokenizer(one.folder, {"a": 0})
    make_tokenizer(two.folder, {"a": 0}, {"<pad>": 1})
    with pytest.raises(CheckpointError, match=r"\(1 and 2 tokens\): '<pad>' is id absent in one, 1 in two"):
        plan_merge(Linear(), [one, two])


def test_a_model_without_a_tokenizer_makes_no_statement(tmp_path: Path) -> None:
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    make_tokenizer(one.folder, {"a": 0})
    assert plan_merge(Linear(), [one, two]).jobs


def test_floats_of_different_width_may_be_merged(tmp_path: Path) -> None:
    one, two = model(tmp_path / "one"), model(tmp_path / "two", random_tensors(2, SHAPES, np.float16))
    assert len(plan_merge(Linear(), [one, two]).jobs) == 3


def test_integers_of_different_width_may_not(tmp_path: Path) -> None:
    one = model(tmp_path / "one", {"ids": np.zeros(3, np.int32)})
    two = model(tmp_path / "two", {"ids": np.zeros(3, np.int64)})
    with pytest.raises(CheckpointError, match="'ids' is I32 in one, I64 in two"):
        plan_merge(Linear(), [one, two])


@pytest.mark.parametrize(
    ("method", "count", "has_base", "message"),
    [
        (Slerp(), 3, False, "exactly two models"),
        (Ties(), 2, False, "a base is needed"),
        (Linear(), 2, True, "takes no base"),
        (Linear(weights=(1.0, 2.0, 3.0)), 2, False, "3 weights for 2 models"),
        (Ties(), 0, True, "at least one model"),
        (Linear(), 0, False, "at least one model"),
    ],
)
def test_a_method_refuses_parents_it_cannot_use(
    tmp_path: Path, method: Any, count: int, has_base: bool, message: str
) -> None:
    models = [model(tmp_path / str(i)) for i in range(count)]
    with pytest.raises(MethodError, match=message):
        plan_merge(method, models, model(tmp_path / "base") if has_base else None)


def test_a_base_without_tensors_is_still_the_base(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"base has no 'a\.weight', one has"):
        plan_merge(Ties(), [model(tmp_path / "one")], model(tmp_path / "base", {}))


def test_an_adapter_s_base_is_not_compared_with_itself(tmp_path: Path) -> None:
    base = model(tmp_path / "base")
    pair = (np.ones((1, 4), np.float32), np.ones((3, 1), np.float32))
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", {"a": pair}))
    plan = plan_merge(Ties(), [full_model("adapter", base.checkpoint, adapter)], base)
    assert plan.bytes_read == 3 * 4 * (12 + 5 + 2)
