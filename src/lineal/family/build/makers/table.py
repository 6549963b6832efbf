"""Which maker a method has, lineal's own or a package's, and what is asked of all of them in the same way."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from lineal.derivation.hashes import HASH_LENGTH
from lineal.derivation.step import Input, Kind, Step
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import MethodError
from lineal.family.build.makers.maker import Maker
from lineal.family.session import Inputs, Session
from lineal.methods.method import Method

_ROOMS: Mapping[Kind, str] = {
    "original": "trainings",
    "fine-tune": "trainings",
    "distillation": "trainings",
    "merge": "merges",
    "prune": "prunings",
    "quantize": "quantizations",
}
"""Where the makers of each kind are; loaded when one of them is asked for."""


def maker_of(method: Method) -> Maker:
    """The maker of the first class, in its room's rows, that the method is an instance of."""
    rows: Sequence[tuple[type[Method], Maker]] = import_module(f"{__package__}.{_ROOMS[method.kind]}").MAKERS
    for wanted, maker in rows:
        if isinstance(method, wanted):
            return maker
    classes, own = ", ".join(wanted.__name__ for wanted, _ in rows), type(method).__name__
    raise MethodError(f"{method.name}: a {method.kind} method inherits one of {classes}, and {own} does not")


def inputs_of(session: Session, name: str, method: Method, found: Inputs) -> Inputs:
    """The models that a derivation is given, as its step records them; name: of the child."""
    maker = maker_of(method)
    if not maker.is_trained and any(local.form == "adapter" for _, local in found):
        # of which base an adapter is, is a question of hashes
        found = [(role, session.identify(local) if role == "base" else local) for role, local in found]
    return maker.inputs(name, method, found)


def plan_stream(method: Method, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan | None:
    """The engine's plan for a step's inputs and data files; None for what is trained.

    Inputs that no step of this method could have are refused here, before a weight is read.
    """
    return _checked(method, inputs).plan(method, inputs, data)


def foresee_stream(method: Method, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan | None:
    """The same as far as headers tell."""
    return _checked(method, inputs).foresee(method, inputs, data)


def _checked(method: Method, inputs: Inputs) -> Maker:
    """The method's maker, if there can be a step with these inputs."""
    maker = maker_of(method)
    if not maker.is_trained:
        _ = Step(
            type=method.kind,
            method=method.name,
            inputs=tuple(Input(role, bytes(HASH_LENGTH)) for role, _ in inputs),
            options=method.options(),
        )
    return maker
