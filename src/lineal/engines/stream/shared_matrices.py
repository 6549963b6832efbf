"""Matrices of adapters that many tensors take parts of: those asked for last are kept, read once for all threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.safetensors import TensorSpec


class Matrix(NamedTuple):
    """values: as float32; digest: of what is stored."""

    values: NDArray[np.float32]
    digest: bytes


@final
@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    matrix: Matrix | None = None


@final
class SharedMatrices:
    """A tensor of experts is made of hundreds, each of which needs the whole of the same two matrices."""

    def __init__(self, threads: int = 1) -> None:
        """threads: each may be at another tensor, of two matrices; two tensors of experts follow each other."""
        self._most = 2 * threads + 4
        self._kept: OrderedDict[TensorSpec, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, spec: TensorSpec, read: Callable[[], Matrix]) -> Matrix:
        """The matrix, which is read where it is not kept; who asks for it meanwhile waits."""
        with self._lock:
            one = self._kept.setdefault(spec, _Kept())
            self._kept.move_to_end(spec)
            if len(self._kept) > self._most:
                _ = self._kept.popitem(last=False)
        with one.lock:
            if one.matrix is None:
                one.matrix = read()
            return one.matrix
