"""Every method by kind and name, lineal's own and those of other packages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from lineal.derivation.step import Kind
from lineal.errors import MethodError
from lineal.methods import catalogue
from lineal.methods.catalogue import find_method, methods
from lineal.methods.merge.ties import Ties
from lineal.methods.method import Method, Reproducibility


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    catalogue._registered.cache_clear()
    catalogue._known.cache_clear()
    catalogue.methods.cache_clear()


@dataclass(frozen=True, kw_only=True)
class Foreign(Method):
    kind: ClassVar = "merge"
    name: ClassVar = "foreign"
    paper: ClassVar = "https://example.org"
    reproducibility: ClassVar = Reproducibility.EXACT

    share: float


@dataclass(frozen=True)
class Distribution:
    name: str
    version: str


@dataclass(frozen=True)
class EntryPoint:
    method: type[Method]
    dist: Distribution

    def load(self) -> type[Method]:
        return self.method


PACKAGE = Distribution("pantry", "0.3.1")


def register(monkeypatch: pytest.MonkeyPatch, method: type[Method]) -> None:
    monkeypatch.setattr(
        catalogue, "entry_points", lambda group: [EntryPoint(method, PACKAGE)] if group == "lineal.methods" else []
    )


@pytest.mark.parametrize(("kind", "name"), sorted(catalogue._known()))
def test_a_method_is_found_by_kind_and_name(kind: Kind, name: str) -> None:
    found = find_method(kind, name)
    assert (found.kind, found.name) == (kind, name)


def test_methods_are_sorted_and_say_what_they_are() -> None:
    found = methods()
    assert list(found) == sorted(found)
    for (kind, name), method in found.items():
        assert (method.kind, method.name) == (kind, name)
        assert method.version >= 1
        assert isinstance(method.reproducibility, Reproducibility)
        assert method.paper == "" or method.paper.startswith("https://")
        assert method.__doc__


def test_every_merge_method_is_exact() -> None:
    merges = [method for (kind, _), method in methods().items() if kind == "merge"]
    assert {method.reproducibility for method in merges} == {Reproducibility.EXACT}


@pytest.mark.parametrize(
    ("name", "hint"), [("tise", "did you mean ties"), ("dare", "did you mean dare_ties"), (5, "known: ")]
)
def test_an_unknown_method_is_refused_with_the_nearest_name(name: object, hint: str) -> None:
    with pytest.raises(MethodError, match=f"unknown merge method {name!r} .{hint}"):
        find_method("merge", name)


def test_a_method_of_another_kind_is_not_found() -> None:
    with pytest.raises(MethodError, match="unknown prune method 'ties'"):
        find_method("prune", "ties")


def test_another_package_may_register_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, Foreign)
    assert find_method("merge", "foreign") is Foreign
    assert catalogue.registrant(Foreign) == ("pantry", "0.3.1")
    assert catalogue.registrant(Ties) is None


def test_a_registered_method_may_not_take_a_name_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, Ties)
    with pytest.raises(MethodError, match="two methods are registered as merge 'ties'"):
        methods()


def test_an_option_without_a_default_must_be_given() -> None:
    with pytest.raises(MethodError, match="foreign: the option 'share' is needed"):
        Foreign.from_options({})
    assert Foreign.from_options({"share": "0.5"}) == Foreign(share=0.5)


def test_options_are_described_by_their_schemas() -> None:
    schemas: dict[str, Any] = Ties.option_schemas()
    assert tuple(schemas) == Ties.option_names() == ("density", "weights", "lambda", "normalize")
    assert (schemas["lambda"]["type"], schemas["lambda"]["default"]) == ("number", 1.0)
    assert ([kind["type"] for kind in schemas["density"]["anyOf"]], schemas["density"]["default"]) == (
        ["number", "array"],
        0.2,
    )
