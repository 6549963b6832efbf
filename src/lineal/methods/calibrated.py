"""Methods that see a model block by block, and what reaches its linear layers while a text goes through it."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, TypeAlias, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.methods.arrays import Float32
from lineal.methods.method import Method, Reproducibility

Int8: TypeAlias = NDArray[np.int8]
Codes: TypeAlias = NDArray[np.int8] | NDArray[np.uint8]

_Float = TypeVar("_Float", bound=np.floating)


@final
@dataclass(frozen=True)
class Repeats:
    """Columns that come from one number in several places: with grouped queries, each value reaches several heads.

    Columns are [groups, repeats, width]: width numbers of a head, once for each of the heads that share them.
    """

    repeats: int
    width: int

    def mean(self, values: NDArray[_Float]) -> NDArray[_Float]:
        """The mean of each number's columns, in each of them, [columns]."""
        return self._spread(self._apart(values).mean(1, keepdims=True))

    def greatest(self, values: NDArray[_Float]) -> NDArray[_Float]:
        """The greatest of each number's columns, in each of them, [columns]."""
        return self._spread(self._apart(values).max(1, keepdims=True))

    def once(self, values: NDArray[_Float]) -> NDArray[_Float]:
        """What stands in the first column of each number, [columns / repeats]."""
        return np.ascontiguousarray(self._apart(values)[:, 0]).reshape(-1)

    def spread(self, values: NDArray[_Float]) -> NDArray[_Float]:
        """What stands once, [columns / repeats], in each of its columns, [columns]."""
        return self._spread(values.reshape(-1, 1, self.width))

    def _apart(self, values: NDArray[_Float]) -> NDArray[_Float]:
        return values.reshape(-1, self.repeats, self.width)

    def _spread(self, values: NDArray[_Float]) -> NDArray[_Float]:
        return np.repeat(values, self.repeats, axis=1).reshape(-1)


ONCE: Final = Repeats(1, 1)
"""Every number arrives in one column."""


@final
@dataclass(frozen=True)
class SharedInput:
    """Linear layers that multiply the same vectors: queries, keys and values, say.

    layers: the published names of their weights, [rows, columns] each; expert: of a mixture, whose layers see only the
    tokens that the router gives them; foldable: whether what stands before them can be divided by a vector (`fold`);
    repeats: which columns such a vector must have one number for.
    """

    layers: tuple[str, ...]
    columns: int
    expert: int | None = None
    foldable: bool = False
    repeats: Repeats = ONCE


class Statistic(Protocol):
    """What is gathered of the inputs of some layers, in bounded memory."""

    def add(self, inputs: Float32) -> None:
        """Take further inputs, [tokens, columns], always in the same order and the same portions; not to be kept."""
        ...


class Block(Protocol):
    """One block of the model with all calibration samples before it, as a method sees it.

    Everything is in float32 and under published names. The weights are those of the parent until the method changes
    them; what it changed, and what it rounded, is in place in whatever it asks for afterwards.
    """

    @property
    def index(self) -> int:
        """From 0."""
        ...

    @property
    def shared_inputs(self) -> Sequence[SharedInput]:
        """All linear layers of the block but routers, in the order in which they are run."""
        ...

    def weight(self, name: str) -> Float32:
        """A tensor of the block as it is now; not to be written to."""
        ...

    def dtype(self, name: str) -> str:
        """What the parent has a tensor in: BF16, say."""
        ...

    def is_packed(self, name: str) -> bool:
        """Whether the child stores this weight as codes, and so waits for it to be rounded."""
        ...

    def gather(self, statistics: Mapping[SharedInput, Sequence[Statistic]]) -> None:
        """Run all samples through the block as it is now, and show each statistic the inputs of those layers.

        Raises MethodError where an expert that is asked for has seen no token.
        """
        ...

    def change(self, tensors: Mapping[str, Float32]) -> None:
        """Put other values in place; the child has them, in its dtype or rounded to nearest where it stores codes."""
        ...

    def fold(self, shared: SharedInput, divisors: Float32) -> None:
        """Divide what stands before these layers, and so their inputs, by a vector [columns] of positive numbers.

        The layers' own columns are multiplied by it, so that the block computes what it did. Raises MethodError where
        columns that come from one number (`SharedInput.repeats`) would be divided by different ones.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class Rounded:
    """A weight as codes.

    codes: [rows, columns], whole numbers or bits of floats; scales: [rows or blocks, groups], empty where all share
    one; zeros: zero points, [rows, groups]; values: the float32 that the codes stand for. numbers: those that stand
    once for the whole weight, by the ends of their names, such as input_scale.
    """

    name: str
    codes: Codes
    scales: Float32
    zeros: Int8 | None
    values: Float32
    numbers: Mapping[str, Float32] = field(default_factory=dict[str, Float32])


@dataclass(frozen=True, kw_only=True)
class CalibratedMethod(Method):
    """A method that decides by what a text makes of the model, one block after the other, each behind the changed ones.

    samples: windows of the text, drawn by the seed. context: tokens a window.
    """

    reproducibility: ClassVar = Reproducibility.TOLERANT
    uses_data: ClassVar = True
    uses_base: ClassVar[bool] = False

    samples: int = 128
    context: int = 512
    seed: int = 42

    def __post_init__(self) -> None:
        for option, least in (("samples", 1), ("context", 2), ("seed", 0)):
            value = getattr(self, option)
            if isinstance(value, bool) or value < least:
                raise MethodError(f"{self.name}: {option} must be an integer of at least {least}, got {value}")

    @abstractmethod
    def work_on(self, block: Block) -> Iterator[Rounded]:
        """Change the block, and yield the weights that are to be stored as codes, each as soon as it is found."""
        ...

    def check_positions(self, positions: int | None) -> None:
        """Refuse samples that are longer than a model's positions, with a MethodError; None: it sets no bound."""
        if positions is not None and self.context > positions:
            raise MethodError(f"{self.name}: context {self.context} is more than the model's {positions} positions")

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"{self.name}: one model is calibrated at a time, got {count}")

    def check(self, models: int, has_base: bool) -> None:
        """Refuse parents that the method cannot be applied to, with a MethodError."""
        if has_base:
            raise MethodError(f"{self.name}: takes no base; it works on one model")
        self.check_models(models)
