"""How kernels are compiled: cached on disk, without the GIL, and without the contractions that would change bits."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile with numba; fastmath stays off, so every operation is one IEEE operation in the order written."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))
