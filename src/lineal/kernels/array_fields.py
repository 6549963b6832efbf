"""Where numpy's arrays keep what a kernel needs of them: PyArrayObject_fields, numpy's binary interface since 1.7.

Source: numpy/ndarraytypes.h; PyArray_DATA and its like are compiled into every package that is built on numpy.
"""

import ctypes
from functools import cache

import numpy as np

_HEAD = object.__basicsize__
"""What every Python object begins with."""

TYPE = _HEAD - 8
DATA = _HEAD
DIMENSIONS = _HEAD + 8
SHAPE = _HEAD + 16
DTYPE = _HEAD + 40
FLAGS = _HEAD + 48

C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x0001, 0x0100, 0x0400
NEEDED = C_CONTIGUOUS | ALIGNED | WRITEABLE


@cache
def is_known() -> bool:
    """Whether this numpy keeps an array so, on this machine: read from one and compared with what it says itself."""
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    array = np.empty((3, 5), np.float32)
    start = id(array)

    def pointer(offset: int) -> int | None:
        return ctypes.c_void_p.from_address(start + offset).value

    def integer(offset: int) -> int:
        return ctypes.c_int.from_address(start + offset).value

    shape = pointer(SHAPE)
    return (
        array.__sizeof__() - array.nbytes >= FLAGS + 4
        and (pointer(TYPE), pointer(DATA), pointer(DTYPE)) == (id(np.ndarray), array.ctypes.data, id(array.dtype))
        and (integer(DIMENSIONS), integer(FLAGS)) == (array.ndim, array.flags.num)
        and shape is not None
        and tuple((ctypes.c_int64 * 2).from_address(shape)) == array.shape
    )
