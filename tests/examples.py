"""One row for each way to use a method; a row enrols it in the laws that it names (tests/laws)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import Any, cast

from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.arcee_fusion import ArceeFusion
from lineal.methods.merge.breadcrumbs import Breadcrumbs, BreadcrumbsTies
from lineal.methods.merge.dare import DareLinear, DareTies
from lineal.methods.merge.della import Della, DellaLinear
from lineal.methods.merge.karcher import Karcher
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.model_stock import ModelStock
from lineal.methods.merge.multislerp import MultiSlerp
from lineal.methods.merge.nearswap import Nearswap
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.merge.ram import Ram, RamPlus
from lineal.methods.merge.sce import Sce
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.soup import GreedySoup, UniformSoup
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.streaming import StreamingMethod
from lineal.randomness import uniforms
from tests.builders import Array
from tests.reference import merge as reference
from tests.reference import prune as prune_reference
from tests.reference import sparse, sphere

Reference = Callable[[Sequence[Array], Array | None, str], Array]
"""(models, base, tensor name) -> the child's tensor in float64."""

REFERENCES = {**sparse.REFERENCES, **sphere.REFERENCES, **reference.REFERENCES}


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
    without_base: bool = False
    """Whether a method that may do without a base is to do so."""

    @property
    def has_base(self) -> bool:
        return self.method.uses_base and not self.without_base

    @property
    def id(self) -> str:
        options = (f"{name}={value}" for name, value in self.method.options().items())
        base = " without base" if self.without_base else ""
        return f"{self.method.name}({', '.join(options)}) of {self.models}{base}"


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


def transcribed(models: Sequence[Array], base: Array | None, name: str, *, of: StreamingMethod) -> Array:
    """The reference of that name with the method's options; random ones take their numbers instead of a seed."""
    options: dict[str, Any] = {{"lambda": "lambda_"}.get(key, key): value for key, value in of.options().items()}
    if "seed" in options:
        seed = int(options.pop("seed"))
        options["drawn"] = [uniforms(seed, name, m, 0, x.size).reshape(x.shape) for m, x in enumerate(models)]
    return REFERENCES[of.name](base, models, **options)


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
        case _ if method.name in REFERENCES:
            return Example(method, models, partial(transcribed, of=method), frozenset(laws))
        case AdapterMerge():
            return Example(method, models, adapter, frozenset(laws))
        case _:
            raise LookupError(f"no reference computes {method.name}: write one in tests/reference, in its REFERENCES")


def without_base(of: Example) -> Example:
    return replace(of, without_base=True)


def pruning(method: MagnitudePruning) -> Example:
    return Example(method, 1, partial(magnitude, of=method))


MERGES = [
    example(Linear(), 3, Law.EQUAL_MODELS),
    example(Linear(weights=(0.5, 0.3, 0.9)), 3, Law.EQUAL_MODELS),
    example(Linear(weights=(0.25, -0.75), normalize=False), 2),
    example(UniformSoup(), 3, Law.EQUAL_MODELS),
    example(GreedySoup(ingredients=(2, 0)), 3, Law.EQUAL_MODELS),
    example(GreedySoup(ingredients=(1,)), 2, Law.EQUAL_MODELS),
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
    example(Ties(density=(0.25, 1.0), lambda_=0.5), 2, Law.EQUAL_TO_BASE),
    example(Ties(density=0.7, weights=(1.0, -0.5)), 2, Law.EQUAL_TO_BASE),
    example(DareTies(), 3, Law.EQUAL_TO_BASE),
    example(DareTies(density=1.0, weights=(1.0,)), 2, Law.EQUAL_TO_BASE, Law.ONE_MODEL),
    example(
        DareTies(density=0.3, weights=(0.5, 0.3), lambda_=0.8, normalize=True, rescale=False, seed=7),
        2,
        Law.EQUAL_TO_BASE,
    ),
    example(DareTies(density=(1.0, 0.3)), 2, Law.EQUAL_TO_BASE),
    example(DareLinear(), 2, Law.EQUAL_TO_BASE),
    example(DareLinear(density=1.0), 1, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS, Law.ONE_MODEL),
    example(DareLinear(density=(0.9, 0.3, 0.5), weights=(0.5, 0.3, -0.1), lambda_=0.8, normalize=True), 3),
    example(Della(), 3, Law.EQUAL_TO_BASE),
    example(Della(density=1.0, epsilon=0.0), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS, Law.ONE_MODEL),
    example(Della(density=(0.6, 0.4), epsilon=(0.4, 0.2), weights=(0.5, 0.2), lambda_=0.7, normalize=False, seed=7), 2),
    example(DellaLinear(density=0.7, epsilon=0.3, rescale=False), 2, Law.EQUAL_TO_BASE),
    example(DellaLinear(density=(1.0, 0.5), epsilon=(0.0, 0.1), weights=(0.6, 0.3), normalize=True), 2),
    example(Breadcrumbs(), 2, Law.EQUAL_TO_BASE),
    example(Breadcrumbs(density=1.0, normalize=True), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS, Law.ONE_MODEL),
    example(Breadcrumbs(density=(0.3, 0.9), gamma=(0.05, 0.5), weights=(0.5, -0.3), lambda_=0.7), 2, Law.EQUAL_TO_BASE),
    example(BreadcrumbsTies(density=0.4, gamma=0.1), 3, Law.EQUAL_TO_BASE),
    example(BreadcrumbsTies(density=0.25, gamma=(0.0, 0.9), normalize=True), 2, Law.EQUAL_TO_BASE),
    example(Sce(), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    example(Sce(select_topk=0.3), 3, Law.EQUAL_TO_BASE),
    example(Ram(), 3, Law.EQUAL_TO_BASE),
    example(Ram(epsilon=0.0), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    example(RamPlus(epsilon=0.3, r=0.5, alpha=2.0), 3, Law.EQUAL_TO_BASE),
    example(RamPlus(epsilon=0.5), 2, Law.EQUAL_TO_BASE),
    example(ArceeFusion(), 1, Law.EQUAL_TO_BASE),
    example(AdapterMerge(), 1, Law.EQUAL_MODELS),
    example(NuSlerp(), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    example(NuSlerp(weights=(-0.25, 1.0)), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    without_base(example(NuSlerp(weights=(0.3, 0.9)), 2, Law.EQUAL_MODELS)),
    example(NuSlerp(flatten=False), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    without_base(example(NuSlerp(weights=(0.3, 0.9), flatten=False), 2, Law.EQUAL_MODELS)),
    example(NuSlerp(flatten=False, row_wise=True), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    without_base(example(NuSlerp(weights=(0.3, 0.9), flatten=False, row_wise=True), 2, Law.EQUAL_MODELS)),
    example(MultiSlerp(), 3, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    without_base(example(MultiSlerp(weights=(0.5, 0.3, 0.9)), 3, Law.EQUAL_MODELS)),
    without_base(example(MultiSlerp(weights=(0.5, -0.3), normalize=False, eps=0.1), 2)),
    example(Karcher(), 3, Law.EQUAL_MODELS),
    example(Karcher(max_iter=2, tol=0.0), 4, Law.EQUAL_MODELS),
    example(ModelStock(), 2, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    example(ModelStock(), 3, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    example(ModelStock(filter_wise=True), 3, Law.EQUAL_TO_BASE, Law.EQUAL_MODELS),
    example(Nearswap(t=0.25), 1, Law.EQUAL_TO_BASE),
    example(Passthrough(), 1, Law.EQUAL_MODELS),
    example(Passthrough(scale=-0.3), 1),
]

PRUNINGS = [
    pruning(MagnitudePruning(sparsity=0.5)),
    pruning(MagnitudePruning(sparsity=0.85)),
    pruning(MagnitudePruning(sparsity=0.0)),
    pruning(MagnitudePruning(sparsity=0.5, scope="row")),
    pruning(MagnitudePruning(sparsity=0.3, scope="row")),
    pruning(MagnitudePruning(sparsity=0.0, scope="row")),
]
