"""What a kernel's arguments are, as annotations. To a type checker they are Any: numba checks what is done with them.

Numbers are annotated with their own types: float (float64), int (int64), bool, np.float32, np.uint32, np.uint64.
"""

from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np


class ArrayOf(NamedTuple):
    """Arrays in C order, aligned and writable. dtype: numpy's own object, or a record's that stands in a module."""

    dtype: np.dtype[Any]
    dimensions: int = 1


Float32s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.float32))]
Float64s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.float64))]
Int8s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.int8))]
Int32s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.int32))]
Int64s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.int64))]
Uint8s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.uint8))]
Uint16s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.uint16))]
Uint32s: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.uint32))]

Float32Rows: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.float32), 2)]
Float64Rows: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.float64), 2)]
Int8Rows: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.int8), 2)]
Int32Rows: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.int32), 2)]
Uint8Rows: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.uint8), 2)]
Uint32Rows: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.uint32), 2)]
Uint64Rows: TypeAlias = Annotated[Any, ArrayOf(np.dtype(np.uint64), 2)]
