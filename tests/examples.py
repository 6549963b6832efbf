"""One row for each way to use a method; a row enrols it in the laws that it names (tests/laws)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import cast

from lineal.methods.merge import AdapterMerge, DareTies, Linear, Slerp, TaskArithmetic, Ties
from lineal.methods.prune import MagnitudePruning
from lineal.methods.streaming import StreamingMethod
from lineal.randomness import uniforms
from tests.builders import Array
from tests.reference import merge as reference
from tests.reference import prune as prune_reference

Reference = Callable[[Sequence[Array], Array | None, str], Array]
"""(models, base, tensor name) -> the child's tensor in float64."""


class Law(Enum):
    """What a method promises, beyond what all of them do."""

    EQUAL_MODELS = auto()
    """A merge of equal models is that model."""
    EQUAL_TO_BASE = auto()
    """Models equal to the base give the base."""
    ONE_MODEL = auto()
    """On one model it is task arithmetic."""


@dataclass(frozen=True)
class Example:
    method: StreamingMethod
    models: int
    reference: Reference
    laws: frozenset[Law] = frozenset()

    @property
    def id(self) -> str:
        options = (f"{name}={value}" for name, value in self.method.options().items())
        return f"{self.method.name}({', '.join(options)}) of {self.models}"


def linear(models: Sequence[Array], _base: Array | None, _name: str, *, of: Linear) -> Array:
    return reference.linear(models, of.weights, normalize=of.normalize)


def slerp(models: Sequence[Array], _base: Array | None, _name: str, *, of: Slerp) -> Array:
    return reference.slerp(models[0], models[1], of.t, of.nearly_parallel)


def task_arithmetic(models: Sequence[Array], base: Array | None, _name: str, *, of: TaskArithmetic) -> Array:
    return reference.task_arithmetic(cast(Array, base), models, of.weights, lambda_=of.lambda_, normalize=of.normalize)


def ties(models: Sequence[Array], base: Array | None, _name: str, *, of: Ties) -> Array:
    return reference.ties(
        cast(Array, base), models, of.weights, density=of.density, lambda_=of.lambda_, normalize=of.normalize
    )


def dare_ties(models: Sequence[Array], base: Array | None, name: str, *, of: DareTies) -> Array:
    masks = [
        uniforms(of.seed, name, m, 0, model.size).reshape(model.shape) < of.density for m, model in enumerate(models)
    ]
    return reference.dare_ties(
        cast(Array, base),
        models,
        masks,
        of.weights,
        density=of.density,
        lambda_=of.lambda_,
        normalize=of.normalize,
        rescale=of.rescale,
    )


def adapter(models: Sequence[Array], _base: Array | None, _name: str) -> Array:
    return reference.wide(models)[0]


def magnitude(models: Sequence[Array], _base: Array | None, _name: str, *, of: MagnitudePruning) -> Array:
    return prune_reference.magnitude(models[0], of.sparsity, of.scope)


def example(method: StreamingMethod, models: int, *laws: Law) -> Example:
    match method:
        case Linear():
            return Example(method, models, partial(linear, of=method), frozenset(laws))
        case Slerp():
            return Example(method, models, partial(slerp, of=method), frozenset(laws))
        case TaskArithmetic():
            return Example(method, models, partial(task_arithmetic, of=method), frozenset(laws))
        case Ties():
            return Example(method, models, partial(ties, of=method), frozenset(laws))
        case DareTies():
            return Example(method, models, partial(dare_ties, of=method), frozenset(laws))
        case _:
            return Example(method, models, adapter, frozenset(laws))


def pruning(method: MagnitudePruning) -> Example:
    return Example(method, 1, partial(magnitude, of=method))


MERGES = [
    example(Linear(), 3, Law.EQUAL_MODELS),
    example(Linear(weights=(0.5, 0.3, 0.9)), 3, Law.EQUAL_MODELS),
    example(Linear(weights=(0.25, -0.75), normalize=False), 2),
    example(Slerp(), 2, Law.EQUAL_MODELS),
    example(Slerp(t=0.3), 2, Law.EQUAL_MODELS),
    example(Slerp(t=0.0), 2, Law.EQUAL_MODELS),
    example(Slerp(t=1.0, nearly_parallel=1.0), 2, Law.EQUAL_MODELS),
    example(TaskArithmetic(), 2, Law.EQUAL_TO_BASE),
    example(TaskArithmetic(weights=(0.5, 0.3, 0.9), lambda_=0.7), 3, Law.EQUAL_TO_BASE),
    example(TaskArithmetic(weights=(0.5, 0.3), normalize=True), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS, Law.ONE_MODEL),
    example(Ties(), 3, Law.EQUAL_TO_BASE),
    example(Ties(density=1.0), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS, Law.ONE_MODEL),
    example(Ties(density=0.25, weights=(0.5, 0.3, 0.9), lambda_=0.5, normalize=False), 3, Law.EQUAL_TO_BASE),
    example(Ties(density=0.7, weights=(1.0, -0.5)), 2, Law.EQUAL_TO_BASE),
    example(DareTies(), 3, Law.EQUAL_TO_BASE),
    example(DareTies(density=1.0, weights=(1.0,)), 2, Law.EQUAL_TO_BASE, Law.ONE_MODEL),
    example(
        DareTies(density=0.3, weights=(0.5, 0.3), lambda_=0.8, normalize=True, rescale=False, seed=7),
        2,
        Law.EQUAL_TO_BASE,
    ),
    example(AdapterMerge(), 1, Law.EQUAL_MODELS),
]

PRUNINGS = [
    pruning(MagnitudePruning(sparsity=0.5)),
    pruning(MagnitudePruning(sparsity=0.85)),
    pruning(MagnitudePruning(sparsity=0.0)),
    pruning(MagnitudePruning(sparsity=0.5, scope="row")),
    pruning(MagnitudePruning(sparsity=0.3, scope="row")),
    pruning(MagnitudePruning(sparsity=0.0, scope="row")),
]
