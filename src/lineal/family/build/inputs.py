"""The models that a derivation is made from, in the roles and the order in which its step records them."""

from typing import ClassVar, Protocol

from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Role
from lineal.errors import MethodError
from lineal.family.session import Inputs, LocalModel
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod


class Deriving(Protocol):
    """A method, as far as it says which models it takes."""

    name: ClassVar[str]
    uses_base: ClassVar[bool]

    def check(self, models: int, has_base: bool) -> None: ...


def merge_inputs(method: StreamingMethod, found: Inputs) -> Inputs:
    """The base, if the method or an adapter needs one, then the parents, of which adapters are told apart."""
    base, parents = _base_and_parents(found)
    adapters = [parent for parent in parents if parent.form == "adapter"]
    shown = _base_shown(method, base, parents)
    if base is None and adapters and method.base_is_optional:
        raise MethodError(
            f"{method.name}: {adapters[0].label} is an adapter; name its base, for a merge of task vectors, "
            "or make it part of its base first, for a merge of weights"
        )
    roles: list[tuple[Role, LocalModel]] = [
        ("adapter" if parent.form == "adapter" else "parent", parent) for parent in parents
    ]
    return (("base", shown), *roles) if shown else tuple(roles)


def single_inputs(method: Deriving, found: Inputs) -> Inputs:
    """What derives from one model has one parent, whatever its form, and behind it no base but that of an adapter."""
    base, parents = _base_and_parents(found)
    shown = _base_shown(method, base, parents)
    roles: list[tuple[Role, LocalModel]] = [("parent", parent) for parent in parents]
    return (("base", shown), *roles) if shown else tuple(roles)


def recipe_inputs(recipe: MergeRecipe, found: Inputs) -> Inputs:
    """Inputs in their order, which the parts refer to; behind them the base of adapters, where it is not there."""
    base, _ = _base_and_parents(found)
    adapters = [local for _, local in found if local.form == "adapter"]
    full_base = _base_of(recipe.method, base, adapters)
    roles: list[tuple[Role, LocalModel]] = [
        ("adapter" if role == "parent" and local.form == "adapter" else role, local) for role, local in found
    ]
    return (*roles, ("base", full_base)) if adapters and base is None and full_base else tuple(roles)


def _base_and_parents(found: Inputs) -> tuple[LocalModel | None, list[LocalModel]]:
    base = next((local for role, local in found if role == "base"), None)
    return base, [local for role, local in found if role != "base"]


def _base_shown(method: Deriving, base: LocalModel | None, parents: list[LocalModel]) -> LocalModel | None:
    """The base that the step records: the method's, or that of the adapters."""
    adapters = [parent for parent in parents if parent.form == "adapter"]
    if base is not None and base.form == "adapter":
        raise MethodError(f"{method.name}: the base {base.label} is an adapter; a base is a model in full")
    full_base = _base_of(method.name, base, adapters)
    if base is not None and not method.uses_base and not adapters:
        method.check(len(parents), has_base=True)
    return full_base if method.uses_base or adapters else None


def _base_of(method: str, base: LocalModel | None, adapters: list[LocalModel]) -> LocalModel | None:
    """The base that is given, or that of the first adapter whose base is known here; all adapters must be of it."""
    full_base = base or next((adapter.base for adapter in adapters if adapter.base), None)
    for adapter in adapters:
        _check_adapter(method, adapter, full_base)
    return full_base


def _check_adapter(method: str, adapter: LocalModel, full_base: LocalModel | None) -> None:
    if full_base is None:
        raise MethodError(f"{method}: the base of the adapter {adapter.label} is not known; name it as base")
    if adapter.base_hash not in (None, full_base.model_hash):
        theirs = adapter.base.label if adapter.base else format_hash(adapter.base_hash)[:11]
        raise MethodError(
            f"{method}: {adapter.label} is an adapter of {theirs}, not of {full_base.label}; "
            "merge it into its own base first"
        )
