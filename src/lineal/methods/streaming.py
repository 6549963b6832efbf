"""Methods that see a tensor block by block: they declare sweeps over it, and the last sweep writes the child."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import ClassVar, final

import numpy as np
from numpy.typing import ArrayLike

from lineal.errors import MethodError
from lineal.methods.arrays import Float32, alike, check_list
from lineal.methods.method import Method

GRANULE = 4096
"""Elements that a reduction sums before combining, in index order, in float64; blocks are whole granules."""


@final
@dataclass(frozen=True, slots=True)
class Site:
    """One tensor of the child, as a method sees it before any byte is read; models: how many, without a base."""

    name: str
    shape: tuple[int, ...]
    models: int

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def columns(self) -> int:
        """Elements of a row; a tensor of one dimension is one row."""
        return self.shape[-1] if self.shape else 1


@final
@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a tensor: every parent's values, and room for the child's.

    start: index of the first element; base: [n], empty without a base; models: [models, n], which the last sweep may
    overwrite; out: [n], written by the last sweep only.
    """

    start: int
    base: Float32
    models: Float32
    out: Float32


@final
@dataclass(frozen=True)
class Sample:
    """A look at some stretches, spread evenly, before anything else: for guesses that a later sweep checks."""

    over: Callable[[Block], None]


@final
@dataclass(frozen=True)
class Gather:
    """A sweep that only accumulates what a later one needs."""

    over: Callable[[Block], None]


@final
@dataclass(frozen=True)
class Emit:
    """The last sweep: it fills each block's `out`.

    keeps: whether with the values of the first model as they are, so that they can be taken from there.
    """

    over: Callable[[Block], None]
    keeps: bool = False


def _copy(block: Block) -> None:
    np.copyto(block.out, block.models[0])


KEEP = Emit(_copy, keeps=True)


class StreamingMethod(Method):
    """A method over blocks in bounded memory.

    `sweeps` is a generator: each `Gather` is run over the whole tensor before the generator goes on, so the code
    between two yields reads what the sweep gathered. It ends with one `Emit`; what comes out depends on no `Sample`.
    """

    uses_base: ClassVar[bool] = False
    """Whether the method computes with a base beside the models."""
    base_is_optional: ClassVar[bool] = False
    """Whether a method that uses a base does without one, too."""
    elementwise: ClassVar[bool] = False
    """Whether an element follows from those in its place alone: what else stands in its tensor makes no difference."""

    @abstractmethod
    def passes(self, site: Site) -> int:
        """How many times each input is read: one more than the gathering sweeps, as a rule."""

    @classmethod
    def options_by_model(cls) -> frozenset[str]:
        """The options that may hold a value for each model."""
        return _options_by_model(cls)

    def unit(self, site: Site) -> int:
        """Elements of a tensor that a block never divides: 1, or a row, where each row is decided by itself."""
        return 1

    @abstractmethod
    def check_models(self, count: int) -> None:
        """Refuse a number of models, the base not counted, with a MethodError."""

    @abstractmethod
    def sweeps(self, site: Site) -> Iterator[Sample | Gather | Emit]:
        """The passes over one tensor: `Gather` and `Sample` look at it, the last, `Emit`, fills the child."""
        ...

    def check(self, models: int, has_base: bool) -> None:
        """Refuse parents that the method cannot be applied to, with a MethodError."""
        if self.uses_base and not self.base_is_optional and not has_base:
            raise MethodError(f"{self.name}: a base is needed, task vectors are differences from it")
        if models < 1:
            raise MethodError(f"{self.name}: at least one model is needed beside the base")
        if has_base and not self.uses_base:
            raise MethodError(f"{self.name}: takes no base; list it among the parents if it is to take part")
        self.check_models(models)

    def __call__(self, models: Sequence[ArrayLike], *, base: ArrayLike | None = None, name: str = "weight") -> Float32:
        """The method on whole arrays in memory, of one shape and of any floating-point type; computed in float32."""
        check_list(self.name, models)
        self.check(len(models), base is not None)
        arrays = alike(self.name, models, base)
        site = Site(name, arrays.shape, len(models))
        out = np.empty(site.elements, np.float32)
        block = Block(0, arrays.base, arrays.models, out)
        for sweep in self.sweeps(site):
            sweep.over(block)
        return out.reshape(site.shape)


@cache
def _options_by_model(method: type[StreamingMethod]) -> frozenset[str]:
    schemas = method.option_schemas().items()
    return frozenset(
        name for name, schema in schemas if any(form.get("type") == "array" for form in schema.get("anyOf", [schema]))
    )


def per_model(method: str, option: str, values: Sequence[float], models: int) -> Float32:
    """An option given once for all models or once each, as float32 [models]; none given means 1 each."""
    return np.array(_spread(method, option, tuple(values), models), np.float32)


@lru_cache(maxsize=1000)
def _spread(method: str, option: str, values: tuple[float, ...], models: int) -> tuple[float, ...]:
    """`per_model` before float32; remembered, for it is the same for every tensor of a merge."""
    if len(values) not in (0, 1, models):
        raise MethodError(f"{method}: {len(values)} {option} for {models} models")
    spread = values if len(values) == models else (values or (1.0,)) * models
    with np.errstate(over="ignore"):
        rounded = np.array(spread, np.float32)
    if not np.isfinite(rounded).all():
        raise MethodError(f"{method}: {option} must be finite in float32, got {list(values)}")
    return tuple(rounded.tolist())
