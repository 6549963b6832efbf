"""What every merge method promises, and what some promise beyond it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.engines.stream import tensor_pass
from lineal.methods.catalogue import methods
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.streaming import Block, Site
from tests.builders import same_bits
from tests.engines.merges import SHAPES, Tensors, distance_in_ulps, folder_bytes, merge, similar_models
from tests.examples import MERGES, Example, Law

BF16 = ml_dtypes.bfloat16

every_merge = pytest.mark.parametrize("example", MERGES, ids=lambda example: example.id)


def merged_by(
    folder: Path,
    example: Example,
    models: Sequence[Tensors],
    base: Tensors,
    shards: Sequence[int] = (1,),
    **options: Any,
) -> Tensors:
    return merge(folder, example.method, models, base if example.has_base else None, shards, **options)


def those_of(law: Law) -> pytest.MarkDecorator:
    enrolled = [example for example in MERGES if law in example.laws]
    return pytest.mark.parametrize("example", enrolled, ids=lambda example: example.id)


def test_every_merge_method_is_enrolled() -> None:
    assert {type(example.method) for example in MERGES} == {
        method for (kind, name), method in methods().items() if kind == "merge" and name != "recipe"
    }


@those_of(Law.EQUAL_MODELS)
@pytest.mark.parametrize("dtype", [BF16, np.float16, ml_dtypes.float8_e4m3fn])
def test_a_merge_of_equal_models_is_that_model(tmp_path: Path, example: Example, dtype: type) -> None:
    base, models = similar_models(1, dtype)
    merged = merged_by(tmp_path, example, models * example.models, base)
    assert merged.keys() == SHAPES.keys()
    for name, values in models[0].items():
        assert merged[name].dtype == values.dtype
        assert np.array_equal(merged[name], values)  # but -0 may become 0: base + (-0 - base) is 0


@those_of(Law.EQUAL_MODELS)
def test_a_merge_of_equal_models_in_float32_is_that_model_to_two_last_places(tmp_path: Path, example: Example) -> None:
    base, models = similar_models(1, np.float32)
    merged = merged_by(tmp_path, example, models * example.models, base)
    for name, values in models[0].items():
        assert distance_in_ulps(merged[name], values, np.maximum(np.abs(values), np.abs(base[name]))) <= 2


@those_of(Law.EQUAL_TO_BASE)
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_models_equal_to_the_base_give_the_base(tmp_path: Path, example: Example, dtype: type) -> None:
    base, _ = similar_models(0, dtype)
    merged = merged_by(tmp_path, example, [base] * example.models, base)
    assert all(same_bits(merged[name], base[name]) for name in SHAPES)


@those_of(Law.ONE_MODEL)
@pytest.mark.parametrize("dtype", [np.float32, BF16])
def test_on_one_model_it_is_task_arithmetic(tmp_path: Path, example: Example, dtype: type) -> None:
    base, models = similar_models(1, dtype)
    method = type(example.method).from_options({**example.method.options(), "weights": []})
    merged = merge(tmp_path / "a", method, models, base)
    expected = merge(tmp_path / "b", TaskArithmetic(), models, base)
    assert all(same_bits(merged[name], expected[name]) for name in SHAPES)


@every_merge
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, BF16, ml_dtypes.float8_e5m2])
def test_the_dtype_and_shape_of_every_tensor_are_kept(tmp_path: Path, example: Example, dtype: type) -> None:
    shapes = {name: shape for name, shape in SHAPES.items() if name != "granules.weight"}
    base, models = similar_models(example.models, dtype, shapes)
    merged = merged_by(tmp_path, example, models, base)
    assert {name: (t.dtype, t.shape) for name, t in merged.items()} == {
        name: (t.dtype, t.shape) for name, t in models[0].items()
    }


@every_merge
def test_threads_and_the_parents_shards_do_not_change_a_byte(tmp_path: Path, example: Example) -> None:
    base, models = similar_models(example.models, BF16)
    merged_by(tmp_path / "one", example, models, base, threads=1)
    expected = folder_bytes(tmp_path / "one" / "child")
    for threads, shards in [(2, (1,)), (3, (2, 3)), (2, (7, 1, 4))]:
        folder = tmp_path / f"{threads}{len(shards)}"
        merged_by(folder, example, models, base, shards, threads=threads)
        assert folder_bytes(folder / "child") == expected


@every_merge
def test_the_order_of_tensors_in_the_parents_does_not_change_a_byte(tmp_path: Path, example: Example) -> None:
    base, models = similar_models(example.models, BF16)
    merged_by(tmp_path / "a", example, models, base)
    reordered = [dict(reversed(model.items())) for model in models]
    merged_by(tmp_path / "b", example, reordered, dict(sorted(base.items())))
    assert folder_bytes(tmp_path / "a" / "child") == folder_bytes(tmp_path / "b" / "child")


@every_merge
def test_the_window_does_not_change_a_byte(tmp_path: Path, example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    base, models = similar_models(example.models, np.float32)
    merged_by(tmp_path / "whole", example, models, base)
    expected = folder_bytes(tmp_path / "whole" / "child")
    for granules in (1, 2, 3):
        monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", granules * 4096)
        merged_by(tmp_path / str(granules), example, models, base)
        assert folder_bytes(tmp_path / str(granules) / "child") == expected


@every_merge
def test_a_method_leaves_its_inputs_alone(example: Example) -> None:
    base, models = similar_models(example.models, np.float32)
    name = "odd.weight"
    stack = [model[name].copy() for model in models]
    origin = base[name].copy() if example.has_base else None
    example.method(stack, base=origin, name=name)
    assert all(same_bits(array, model[name]) for array, model in zip(stack, models, strict=True))
    assert origin is None or same_bits(origin, base[name])


@every_merge
def test_a_method_called_on_arrays_is_what_the_engine_computes(tmp_path: Path, example: Example) -> None:
    base, models = similar_models(example.models, np.float32)
    merged = merged_by(tmp_path, example, models, base)
    for name in SHAPES:
        origin = base[name] if example.has_base else None
        assert same_bits(example.method([model[name] for model in models], base=origin, name=name), merged[name])


@every_merge
def test_a_method_sweeps_over_a_tensor_as_often_as_it_says(example: Example) -> None:
    base, models = similar_models(example.models, np.float32)
    for name, shape in SHAPES.items():
        flat = np.stack([model[name].reshape(-1) for model in models])
        origin = base[name].reshape(-1) if example.has_base else np.empty(0, np.float32)
        block, sweeps = Block(0, origin, flat, np.empty(flat.shape[1], np.float32)), 0
        for sweep in example.method.sweeps(Site(name, tuple(shape), example.models)):
            sweep.over(block)
            sweeps += 1
        expected = example.method.passes(Site(name, tuple(shape), example.models))
        assert sweeps == expected or not block.out.size  # nothing is read of an empty tensor
