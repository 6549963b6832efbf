"""Soups as means, and the greedy search against recipe 1 of the paper on whole arrays."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.soup import GreedySoup, UniformSoup, pick_greedily
from tests.builders import Array, same_bits

Score = Callable[[Array], float]


def recipe_1(models: Sequence[Array], quality: Score) -> list[int]:
    """Wortsman et al. 2022, appendix: sort by held-out quality, add what does not lower it."""
    order = np.argsort([-quality(model) for model in models], kind="stable")
    ingredients: list[int] = []
    for place in order.tolist():
        held = quality(np.mean([models[i] for i in ingredients], axis=0)) if ingredients else -math.inf
        if quality(np.mean([models[i] for i in [*ingredients, place]], axis=0)) >= held:
            ingredients.append(place)
    return ingredients


def noisy_models(seed: int, count: int) -> tuple[list[Array], Score]:
    """Vectors around a point, and how near to it one lies."""
    generator = np.random.default_rng(seed)
    point = generator.standard_normal(12)
    models = [point + generator.uniform(0.1, 3) * generator.standard_normal(12) for _ in range(count)]
    return models, lambda vector: -float(np.linalg.norm(vector - point))


def nats_of(models: Sequence[Array], quality: Score) -> Callable[[tuple[int, ...]], float]:
    return lambda ingredients: -quality(np.mean([models[i] for i in ingredients], axis=0))


@pytest.mark.parametrize("seed", range(40))
def test_the_ingredients_are_those_of_the_papers_recipe(seed: int) -> None:
    models, quality = noisy_models(seed, 2 + seed % 6)
    picked = pick_greedily(len(models), nats_of(models, quality))
    assert list(picked) == recipe_1(models, quality)
    assert nats_of(models, quality)(picked) <= min(-quality(model) for model in models)


def test_some_searches_leave_models_out_and_some_take_all() -> None:
    left_out = []
    for seed in range(40):
        models, quality = noisy_models(seed, 2 + seed % 6)
        left_out.append(len(models) - len(pick_greedily(len(models), nats_of(models, quality))))
    assert min(left_out) == 0
    assert max(left_out) > 1


def test_each_soup_is_evaluated_once() -> None:
    asked: list[tuple[int, ...]] = []

    def nats(ingredients: tuple[int, ...]) -> float:
        asked.append(ingredients)
        return {(0,): 2.0, (1,): 1.0, (2,): 3.0, (1, 0): 0.9, (1, 0, 2): 1.5}[ingredients]

    assert pick_greedily(3, nats) == (1, 0)
    assert asked == [(0,), (1,), (2,), (1, 0), (1, 0, 2)]


def test_of_equal_models_the_first_comes_first_and_all_go_in() -> None:
    assert pick_greedily(3, lambda _: 1.0) == (0, 1, 2)


def test_a_model_that_predicts_nothing_stays_out() -> None:
    nan, inf = math.nan, math.inf
    assert pick_greedily(3, lambda i: {(0,): nan, (1,): 2.0, (2,): inf}.get(i, nan)) == (1,)
    with pytest.raises(MethodError, match="no model has a finite perplexity"):
        pick_greedily(2, lambda _: inf)


def test_a_uniform_soup_is_linear_without_weights_to_the_bit() -> None:
    models = [np.random.default_rng(seed).standard_normal((7, 5)).astype(np.float32) for seed in range(3)]
    assert same_bits(UniformSoup()(models), Linear()(models))


def test_a_greedy_soup_is_the_mean_of_its_ingredients_in_their_order() -> None:
    models = [np.random.default_rng(seed).standard_normal((7, 5)).astype(np.float32) for seed in range(4)]
    soup = GreedySoup(ingredients=(3, 0, 2))(models)
    assert same_bits(soup, UniformSoup()([models[3], models[0], models[2]]))


@pytest.mark.parametrize("method", [UniformSoup(), GreedySoup(ingredients=(0,))])
def test_one_model_is_no_soup(method: UniformSoup | GreedySoup) -> None:
    with pytest.raises(MethodError, match="two or more models are needed, got 1"):
        method([np.zeros(3, np.float32)])


@pytest.mark.parametrize(
    ("ingredients", "fault"),
    [((0, 0), "must be different places"), ((-1,), "from 0"), ((2,), "must be below 2"), ((), "are not known before")],
)
def test_ingredients_are_places_of_the_models(ingredients: tuple[int, ...], fault: str) -> None:
    with pytest.raises(MethodError, match=fault):
        GreedySoup(ingredients=ingredients)([np.zeros(3, np.float32)] * 2)


def test_a_recipe_has_data_and_no_ingredients() -> None:
    GreedySoup().check_recipe(1)
    with pytest.raises(MethodError, match="greedy_soup: data is needed"):
        GreedySoup().check_recipe(0)
    with pytest.raises(MethodError, match="found when the soup is made"):
        GreedySoup(ingredients=(0,)).check_recipe(1)
    with pytest.raises(MethodError, match="uniform_soup: takes no data"):
        UniformSoup().check_recipe(1)
