"""Arrays that a method is called on in memory: what they must be, before any kernel sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineal.errors import MethodError

Float32: TypeAlias = NDArray[np.float32]


def check_list(method: str, models: object) -> None:
    """Refuse one array in the place of several: its rows would be taken for models."""
    if not isinstance(models, Sequence) or isinstance(models, str | bytes):
        shape = list(np.shape(cast(Any, models)))
        found = f"{type(models).__name__}{f' of shape {shape}' if shape else ''}"
        raise MethodError(f"{method}: a list of arrays is needed, one for each model, got {found}")


@final
@dataclass(frozen=True)
class Arrays:
    """Native float32 copies of a method's arguments. models: [models, n]; base: [n], empty where there is none."""

    shape: tuple[int, ...]
    models: Float32
    base: Float32


def alike(method: str, models: Sequence[ArrayLike], base: ArrayLike | None) -> Arrays:
    """All of one shape, rounded to float32; what is no array of floats is refused with a MethodError."""
    given = [(f"model {place}", model) for place, model in enumerate(models, 1)]
    if base is not None:
        given.append(("the base", base))
    read = [(where, _read(method, where, values)) for where, values in given]
    shape = read[0][1].shape
    for where, array in read:
        if array.shape != shape:
            shapes = f"model 1 is {list(shape)}, {where} is {list(array.shape)}"
            raise MethodError(f"{method}: all arrays must have one shape: {shapes}")
    stack = np.empty((len(read), read[0][1].size), np.float32)
    for (where, array), row in zip(read, stack, strict=True):
        _round(method, where, array, row)
    return Arrays(shape, stack[: len(models)], stack[len(models) :].reshape(-1))


def _read(method: str, where: str, values: ArrayLike) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list; a tensor that will not be read
        raise MethodError(f"{method}: {where} cannot be read as an array: {error}") from None
    if not _is_floating(array.dtype):
        raise MethodError(f"{method}: {where} must hold floating-point numbers, got {array.dtype}")
    return array


def _round(method: str, where: str, array: NDArray[Any], out: Float32) -> None:
    with np.errstate(over="ignore"):
        out[:] = array.reshape(-1)
    if array.itemsize > out.itemsize and np.isinf(out).sum() > np.isinf(array).sum():
        raise MethodError(f"{method}: {where} holds numbers that are too large for float32, in {array.dtype}")


def _is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether it is one of numpy's floats, or of those that ml_dtypes adds."""
    if dtype.kind in "fc":
        return dtype.kind == "f"
    try:
        return ml_dtypes.finfo(dtype).bits > 0
    except ValueError:
        return False
