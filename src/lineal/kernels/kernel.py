"""A Python function that runs as machine code."""

import os
import sys
import threading
from collections.abc import Callable
from ctypes import addressof
from functools import cached_property
from importlib.metadata import version
from types import FunctionType, ModuleType
from typing import Any, TypeVar, cast, final

import numpy as np
from blake3 import blake3

from lineal.kernels import array_fields, kept
from lineal.kernels.signature import Signature, signature_of
from lineal.kernels.types import ArrayOf

F = TypeVar("F", bound=Callable[..., Any])

_FORM = 1
"""Of the entry that compiled.py writes: another number makes what is kept be compiled again."""

_loading = threading.RLock()


def kernel(function: F) -> F:
    """Run a function as machine code, without the GIL: what numba makes of it, kept between processes.

    Its annotations are its types (`lineal.kernels.types`), each call is checked against them, and it can call other
    kernels. One without an annotation of each argument is there for other kernels alone. fastmath is off: every
    operation is one IEEE operation, in the order written.

    Raises (when called): TypeError: an argument that is not as annotated.
    """
    return cast(F, Kernel(function))


@final
class Kernel:
    """function: as written."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = cast(FunctionType, function)
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.signature = signature_of(function)
        self._count = function.__code__.co_argcount
        self._returned: Any = None if self.signature is None else self.signature.returned
        self._code: Callable[..., int] | None = None

    def __call__(self, *arguments: Any) -> Any:
        code = self._code or self._loaded()
        if len(arguments) != self._count:  # ctypes takes more, as C does
            raise TypeError(f"{self.name} takes {self._count} arguments, not {len(arguments)}")
        if self._returned is None:
            status = code(*arguments)
            return None if status == 0 else self._call_otherwise(arguments, status)
        result = self._returned()
        status = code(*arguments, addressof(result))
        return result.value if status == 0 else self._call_otherwise(arguments, status)

    @cached_property
    def dispatcher(self) -> Any:
        """numba's own form of it: compiles in memory for the types it is called with, or that others call it with."""
        from numba import njit

        known = {**self.function.__globals__}
        for name, value in self._named():
            if isinstance(value, Kernel):
                known[name] = value.dispatcher
        rebound = FunctionType(self.function.__code__, known, self.function.__name__, self.function.__defaults__)
        rebound.__module__, rebound.__qualname__ = self.function.__module__, self.function.__qualname__
        return njit(nogil=True, error_model="numpy", fastmath=False)(rebound)

    @cached_property
    def digest(self) -> bytes:
        """Of all that its machine code depends on but the processor: code, constants, and the kernels it calls."""
        code = self.function.__code__
        parts = [code.co_code, repr((code.co_consts, code.co_names, code.co_varnames, self.signature)).encode()]
        parts.extend(_content(name, value) for name, value in self._named())
        return blake3(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).digest()

    def object_code(self, entry: str) -> bytes:
        """Compiled with numba, in memory. entry: what it is called there."""
        from lineal.kernels.compiled import object_code

        return object_code(self.dispatcher, self._required(), entry)

    def _loaded(self) -> Callable[..., int]:
        with _loading:
            if self._code is None:
                is_linked = array_fields.is_known() and os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
                self._code = self._linked() if is_linked else self._through_numba
            return self._code

    def _linked(self) -> Callable[..., int]:
        from lineal.kernels import linked

        signature = self._required()
        made_for = f"{_FORM} {_toolchain()} {array_fields.DATA} {linked.processor()}"
        entry = f"{self.name}-{blake3(self.digest + made_for.encode()).hexdigest()[:32]}"
        code = kept.read(entry)
        if code is None:
            code = self.object_code(entry)
            kept.keep(entry, code)
        return signature.function(linked.address(code, entry))

    def _through_numba(self, *arguments: Any) -> int:
        """A call of numba's dispatcher, for arrays that numpy keeps in a way that is not known here.

        With NUMBA_DISABLE_JIT it is the function itself, as Python runs it.
        """
        if self._returned is None:
            self.dispatcher(*arguments)
        else:
            *given, address = arguments
            self._returned.from_address(address).value = self.dispatcher(*given)
        return 0

    def _call_otherwise(self, arguments: tuple[Any, ...], status: int) -> Any:
        """Once more with equal arrays of the very type and dtype that are compared, if that changes anything."""
        if status < 0:
            raise MemoryError(f"{self.name} found no memory")
        kind, given = self._required().arguments[status - 1], arguments[status - 1]
        if isinstance(kind, ArrayOf) and isinstance(given, np.ndarray) and given.dtype == kind.dtype:
            plain = given.view(np.ndarray).view(kind.dtype)
            if type(given) is not np.ndarray or given.dtype is not kind.dtype:
                return self(*arguments[: status - 1], plain, *arguments[status:])
        found = f"{given.dtype} {given.shape}, {given.flags}" if isinstance(given, np.ndarray) else type(given).__name__
        raise TypeError(f"{self.name}: argument {status} must be a writable array of {kind}, in C order; it is {found}")

    def _named(self) -> list[tuple[str, Any]]:
        """What its code names outside itself."""
        outside = self.function.__globals__
        return [(name, outside[name]) for name in self.function.__code__.co_names if name in outside]

    def _required(self) -> Signature:
        if self.signature is None:
            raise TypeError(f"{self.name} is there for other kernels: its annotations do not say all its types")
        return self.signature


def _content(name: str, value: Any) -> bytes:
    """What a name outside stands for in a kernel, as bytes that change with it."""
    match value:
        case Kernel():
            return value.digest
        case ModuleType() | type():
            return f"{name} {value.__name__}".encode()
        case tuple():
            return b" ".join(_content(name, item) for item in value)
        case int() | float() | np.generic():
            return f"{name} {type(value).__name__} {value!s}".encode()
        case _:
            kind = type(value).__name__
            raise TypeError(f"a kernel cannot use {name}: {kind} is not a number, module, type or kernel")


def _toolchain() -> str:
    """What compiles: versions, and whatever the environment tells numba."""
    told = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_"))
    return f"{sys.implementation.cache_tag} numba {version('numba')} llvmlite {version('llvmlite')} {told}"
