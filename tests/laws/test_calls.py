"""Calling a method on arrays: whatever they are, a result of their shape or one error, before any kernel runs."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import MethodError
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from tests.builders import Array, same_bits
from tests.examples import MERGES, PRUNINGS, Example

FLOATS: list[Any] = [np.float16, np.float32, np.float64, ">f4", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn]
OTHERS: list[Any] = [np.int8, np.int64, np.bool_, np.complex64, object, "U3"]
SHAPES = [(), (0,), (1,), (6,), (2, 3), (3, 2), (1, 6), (4, 0, 2), (2, 2, 3)]


def as_it_is(values: Array) -> Array:
    return values


def read_only(values: Array) -> Array:
    values.flags.writeable = False
    return values


def every_other(values: Array) -> Array:
    return np.repeat(values, 2, axis=0)[::2] if values.ndim else values


def by_column(values: Array) -> Array:
    return np.array(values, order="F")


STORAGES: list[Callable[[Array], Array]] = [as_it_is, read_only, every_other, by_column]


@st.composite
def arrays(draw: st.DrawFn, shapes: st.SearchStrategy[tuple[int, ...]], dtypes: list[Any]) -> Array:
    shape, dtype, stored = draw(shapes), draw(st.sampled_from(dtypes)), draw(st.sampled_from(STORAGES))
    values = np.random.default_rng(draw(st.integers(0, 9))).integers(-8, 9, shape) / 4
    return stored(np.asarray(values).astype(dtype))


every_method = pytest.mark.parametrize("example", [*MERGES, *PRUNINGS], ids=lambda example: example.id)


@every_method
@settings(max_examples=8)
@given(st.data())
def test_floats_of_one_shape_are_taken_however_they_are_stored(example: Example, data: st.DataObject) -> None:
    of_shape = arrays(st.just(data.draw(st.sampled_from(SHAPES))), FLOATS)
    models = [data.draw(of_shape) for _ in range(example.models)]
    base = data.draw(of_shape) if example.has_base else None
    plain = [np.array(model, np.float32, order="C") for model in models]
    origin = None if base is None else np.array(base, np.float32, order="C")
    found = example.method(models, base=base)
    assert (found.shape, found.dtype) == (models[0].shape, np.float32)
    assert same_bits(found, example.method(plain, base=origin))


@every_method
@settings(max_examples=8)
@given(st.data())
def test_arrays_of_any_shapes_and_types_give_one_of_their_shape_or_an_error(
    example: Example, data: st.DataObject
) -> None:
    shapes = st.sampled_from(data.draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=2)))
    any_array = arrays(shapes, FLOATS + data.draw(st.sampled_from([[], OTHERS])))
    models = data.draw(st.lists(any_array, max_size=4))
    base = data.draw(st.none() | any_array)
    given = [*models, *([] if base is None else [base])]
    try:
        found = example.method(models, base=base)
    except MethodError:
        return
    assert {array.shape for array in given} == {found.shape}
    assert all(array.dtype in [np.dtype(dtype) for dtype in FLOATS] for array in given)


def ones(*shape: int) -> Array:
    return np.ones(shape, np.float32)


REFUSED: list[tuple[Any, Any, str]] = [
    ([ones(3, 2), ones(3, 2)], ones(1, 2), r"must have one shape: model 1 is \[3, 2\], the base is \[1, 2\]"),
    ([ones(3, 2), ones(3, 2)], ones(6), r"model 1 is \[3, 2\], the base is \[6\]"),
    ([ones(3, 2), ones(2, 3)], ones(3, 2), r"model 1 is \[3, 2\], model 2 is \[2, 3\]"),
    (ones(2, 3), ones(2, 3), r"a list of arrays is needed, one for each model, got ndarray of shape \[2, 3\]"),
    (torch.ones(2, 3), ones(2, 3), r"one for each model, got Tensor of shape \[2, 3\]"),
    ((ones(2) for _ in range(2)), ones(2), "one for each model, got generator"),
    ([ones(2), [1, 2]], ones(2), "model 2 must hold floating-point numbers, got int64"),
    ([ones(2), None], ones(2), "model 2 must hold floating-point numbers, got object"),
    ([ones(2)], ones(2) > 0, "the base must hold floating-point numbers, got bool"),
    ([[[1.0], [1.0, 2.0]]], ones(2), "model 1 cannot be read as an array: .*inhomogeneous"),
    ([torch.ones(2, dtype=torch.bfloat16)], ones(2), "model 1 cannot be read as an array: .*BFloat16"),
    ([torch.ones(2, requires_grad=True)], ones(2), "model 1 cannot be read as an array: .*requires grad"),
    ([np.full(2, -1e39)], ones(2), "model 1 holds numbers that are too large for float32, in float64"),
]


@pytest.mark.parametrize(("models", "base", "message"), REFUSED)
def test_what_is_no_list_of_like_arrays_is_refused_by_name(models: Any, base: Any, message: str) -> None:
    with pytest.raises(MethodError, match=f"task_arithmetic: .*{message}"):
        TaskArithmetic()(models, base=base)


def test_lists_of_numbers_and_tensors_of_torch_are_arrays_too() -> None:
    assert Linear()([[1.0, 2.0], torch.tensor([3.0, 4.0])]).tolist() == [2, 3]


def test_one_array_may_stand_in_several_places() -> None:
    values = np.arange(6, dtype=np.float32)
    kept = values.copy()
    assert np.array_equal(TaskArithmetic()([values, values], base=values), kept)
    assert same_bits(values, kept)


def test_infinity_was_there_before_it_was_rounded() -> None:
    assert Linear()([np.array([np.inf, 1.0])]).tolist() == [np.inf, 1]
