"""What mergekit calls the options of each method, and what they are when they are not given.

Source: its merge method guide; defaults that the guide leaves out were found by running 0.1.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from lineal.methods.recipe.settings import Value
from lineal.methods.streaming import StreamingMethod


@final
@dataclass(frozen=True)
class Parameter:
    """option: lineal's name for it, None where it changes how a merge is computed and not what comes out.

    default: what it is where it is not given, if lineal's own default is another.
    """

    option: str | None
    default: Value | None = None


_NO_EFFECT = Parameter(None)
_WEIGHT = Parameter("weights")
_VECTORS = {
    "weight": _WEIGHT,
    "lambda": Parameter("lambda"),
    "normalize": Parameter("normalize"),
    "int8_mask": _NO_EFFECT,
}
_SPARSE = {**_VECTORS, "density": Parameter("density", default=1.0)}
_RANDOM = {**_SPARSE, "rescale": Parameter("rescale")}
_DELLA = {**_RANDOM, "epsilon": Parameter("epsilon")}
_BREADCRUMBS = {**_SPARSE, "gamma": Parameter("gamma")}
_RAM = {"epsilon": Parameter("epsilon")}

_OF_METHOD: Mapping[str, Mapping[str, Parameter]] = {
    "linear": {"weight": _WEIGHT, "normalize": Parameter("normalize")},
    "slerp": {"t": Parameter("t")},
    "nuslerp": {
        "weight": _WEIGHT,
        "nuslerp_flatten": Parameter("flatten"),
        "nuslerp_row_wise": Parameter("row_wise"),
    },
    "multislerp": {"weight": _WEIGHT, "normalize_weights": Parameter("normalize"), "eps": _NO_EFFECT},
    "karcher": {"max_iter": Parameter("max_iter"), "tol": Parameter("tol")},
    "task_arithmetic": _VECTORS,
    "ties": _SPARSE,
    "dare_linear": _RANDOM,
    "dare_ties": _RANDOM,
    "della": _DELLA,
    "della_linear": _DELLA,
    "breadcrumbs": _BREADCRUMBS,
    "breadcrumbs_ties": _BREADCRUMBS,
    "sce": {"select_topk": Parameter("select_topk"), "int8_mask": _NO_EFFECT},
    "ram": _RAM,
    "ramplus_tl": {**_RAM, "r": Parameter("r"), "alpha": Parameter("alpha")},
    "model_stock": {"filter_wise": Parameter("filter_wise")},
    "nearswap": {"t": Parameter("t")},
    "arcee_fusion": {},
    "passthrough": {"scale": Parameter("scale")},
}


def parameters_of(method: type[StreamingMethod]) -> Mapping[str, Parameter]:
    """mergekit's names of a method's options; a method that mergekit does not have keeps its own."""
    return _OF_METHOD.get(method.name, {name: Parameter(name) for name in method.option_names()})
