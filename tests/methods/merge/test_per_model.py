"""Options that are one number for all models, or one for each."""

from typing import Any

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.breadcrumbs import Breadcrumbs
from lineal.methods.merge.dare import DareLinear, DareTies
from lineal.methods.merge.della import Della
from lineal.methods.merge.ties import Ties
from lineal.methods.streaming import Site, StreamingMethod

METHODS: list[type[StreamingMethod]] = [Breadcrumbs, DareLinear, DareTies, Della, Ties]


@pytest.mark.parametrize("method", METHODS)
def test_a_number_stays_a_number_in_the_record_and_a_list_a_list(method: type[StreamingMethod]) -> None:
    for written, recorded in [(0.5, 0.5), (1, 1.0), ("0.5", 0.5), ([0.5], [0.5]), (["0.5", 1], [0.5, 1.0])]:
        options: dict[str, Any] = {"density": written, **({"epsilon": 0.0} if method is Della else {})}
        found = method.from_options(options).options()["density"]
        assert found == recorded
        assert type(found) is type(recorded)


@pytest.mark.parametrize("method", METHODS)
def test_one_number_in_a_list_is_for_all_models(method: type[StreamingMethod]) -> None:
    models = [np.linspace(-1, 1, 200, dtype=np.float32), np.linspace(2, -1, 200, dtype=np.float32)]
    base = np.zeros(200, np.float32)
    found = [method.from_options({"density": density})(models, base=base) for density in (0.5, [0.5], [0.5, 0.5])]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("method", METHODS)
def test_a_list_of_another_length_than_the_models_is_refused(method: type[StreamingMethod]) -> None:
    with pytest.raises(MethodError, match=f"{method.name}: 2 values of density for 3 models"):
        method.from_options({"density": [0.5, 0.6]}).check(3, has_base=True)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("density", [[], [0.5, 0], [0.5, 1.5], [-0.1], 0, 1.01])
def test_a_density_out_of_its_range_is_refused(method: type[StreamingMethod], density: object) -> None:
    with pytest.raises(MethodError, match=rf"{method.name}: density must be in \(0, 1\], got"):
        method.from_options({"density": density})


@pytest.mark.parametrize("density", ["half", None, [0.5, "half"], [0.5, float("nan")], {"a": 1}, [[0.5]], float("inf")])
def test_what_is_no_number_is_refused_in_one_line(density: object) -> None:
    message = "ties: density must be a finite number or a list of finite numbers, got "
    with pytest.raises(MethodError) as caught:
        Ties.from_options({"density": density})
    assert str(caught.value) == message + repr(density)


def test_each_model_has_its_own_density() -> None:
    model = np.arange(1, 101, dtype=np.float32)
    alone = [Ties(density=density)([model], base=np.zeros(100, np.float32)) for density in (0.3, 1.0)]
    both = Ties(density=(0.3, 1.0), normalize=False)([model, model], base=np.zeros(100, np.float32))
    assert np.array_equal(both, alone[0] + alone[1])
    site = Site("w", (4,), 2)
    assert Ties(density=(1.0, 1.0)).passes(site) == Ties(density=1.0).passes(site) == 1
    assert Ties(density=(1.0, 0.5)).passes(site) == 3
