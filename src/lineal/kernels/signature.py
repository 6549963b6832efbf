"""A kernel's types, read from its annotations, and as ctypes has them."""

import ctypes
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any, TypeAlias, get_args, get_origin

import numpy as np

from lineal.kernels.types import ArrayOf

NUMBERS: dict[Any, str] = {
    float: "float64",
    int: "int64",
    bool: "boolean",
    np.float32: "float32",
    np.uint32: "uint32",
    np.uint64: "uint64",
}
"""The numbers that kernels take and return, and what numba calls them."""

Argument: TypeAlias = ArrayOf | str
"""An array, or a number by numba's name."""


class _Whole:
    """Every whole number travels as 64 bits. ctypes takes Python's own alone; numpy's are as good."""

    @classmethod
    def from_param(cls, value: Any) -> ctypes.c_int64:
        return ctypes.c_int64(operator.index(value))


_PASSED_AS: dict[str, Any] = {
    "float64": ctypes.c_double,
    "float32": ctypes.c_float,
    "int64": _Whole,
    "uint32": _Whole,
    "uint64": _Whole,
    "boolean": _Whole,
}
_RETURNED_AS: dict[str, Any] = {
    "float64": ctypes.c_double,
    "int64": ctypes.c_int64,
    "boolean": ctypes.c_bool,
    "float32": ctypes.c_float,
    "uint32": ctypes.c_uint32,
}


@dataclass(frozen=True)
class Signature:
    """result: a number's name; None for a kernel that returns nothing."""

    arguments: tuple[Argument, ...]
    result: str | None

    @cached_property
    def returned(self) -> Any:
        """The ctypes type of the result, None without one."""
        return None if self.result is None else _RETURNED_AS[self.result]

    def function(self, address: int) -> Callable[..., int]:
        """The machine code at an address: the arguments, and where the result goes if there is one, to a status."""
        passed = [ctypes.py_object if isinstance(one, ArrayOf) else _PASSED_AS[one] for one in self.arguments]
        results = [] if self.result is None else [ctypes.c_void_p]
        code = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *passed, *results)(address)
        return partial(code, ctypes.addressof(self._table))

    @cached_property
    def _table(self) -> ctypes.Array[ctypes.c_void_p]:
        """What tells the machine code that an object is an array of the right kind: numpy's objects of this process."""
        arrays = [one for one in self.arguments if isinstance(one, ArrayOf)]
        return (ctypes.c_void_p * (1 + len(arrays)))(id(np.ndarray), *(id(array.dtype) for array in arrays))


def signature_of(function: Callable[..., Any]) -> Signature | None:
    """From annotations; None of a kernel that only other kernels call, whose types numba finds from theirs."""
    told = dict(function.__annotations__)
    result = told.pop("return", Any)
    arguments = [_argument(annotation) for annotation in told.values()]
    if None in arguments or (result is not None and NUMBERS.get(result) not in _RETURNED_AS):
        return None
    return Signature(tuple(one for one in arguments if one is not None), None if result is None else NUMBERS[result])


def _argument(annotation: Any) -> Argument | None:
    if get_origin(annotation) is Annotated:
        return next((told for told in get_args(annotation) if isinstance(told, ArrayOf)), None)
    return NUMBERS.get(annotation)
