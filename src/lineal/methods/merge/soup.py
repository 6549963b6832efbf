"""Model soups: the mean of fine-tuned models, of all of them or of those that a greedy search picks."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

from lineal.errors import MethodError
from lineal.methods.merge.linear import Linear
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Gather, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class UniformSoup(StreamingMethod):
    """Average all models alike: linear without weights, to the bit, under the name that the paper gives it."""

    kind: ClassVar = "merge"
    name: ClassVar = "uniform_soup"
    paper: ClassVar = "https://arxiv.org/abs/2203.05482"
    reproducibility: ClassVar = Reproducibility.EXACT
    elementwise: ClassVar = True

    def passes(self, site: Site) -> int:
        return Linear().passes(site)

    def check_models(self, count: int) -> None:
        _check_several(self.name, count)

    def sweeps(self, site: Site) -> Iterator[Emit]:
        return Linear().sweeps(site)


@final
@dataclass(frozen=True, kw_only=True)
class GreedySoup(StreamingMethod):
    """Average the models that predict a text best together, picked one after the other.

    The text is the recipe's data; of several, the logarithms of the perplexities are averaged. Picking needs torch.

    ingredients: places of the picked models among the parents, from 0, in the order in which they went in. A recipe
        leaves them out: they are found when the soup is made. Computed again, the soup is their mean.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "greedy_soup"
    paper: ClassVar = "https://arxiv.org/abs/2203.05482"
    reproducibility: ClassVar = Reproducibility.EXACT
    elementwise: ClassVar = True
    uses_data: ClassVar = True
    found: ClassVar = "ingredients"

    ingredients: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.ingredients)) < len(self.ingredients) or min(self.ingredients, default=0) < 0:
            raise MethodError(f"greedy_soup: ingredients must be different places from 0, got {self.ingredients}")

    def passes(self, site: Site) -> int:
        return Linear().passes(site)

    def check_models(self, count: int) -> None:
        _check_several(self.name, count)
        if max(self.ingredients, default=0) >= count:
            raise MethodError(f"greedy_soup: ingredients must be below {count}, the models, got {self.ingredients}")

    def before_picking(self, models: int) -> Self:
        """While the ingredients are not known, any of so many models may go in."""
        return self if self.ingredients else replace(self, ingredients=tuple(range(models)))

    def check(self, models: int, has_base: bool) -> None:
        super().check(models, has_base)
        if not self.ingredients:
            raise MethodError("greedy_soup: its ingredients are not known before a text has picked them")

    def check_recipe(self, data_files: int) -> None:
        super().check_recipe(data_files)
        if self.ingredients:
            raise MethodError("greedy_soup: ingredients are found when the soup is made, leave them out")

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        picked = list(self.ingredients)
        for sweep in Linear().sweeps(Site(site.name, site.shape, len(picked))):

            def emit(block: Block, sweep: Emit = sweep) -> None:
                sweep.over(Block(block.start, block.base, block.models[picked], block.out))

            yield Emit(emit)


def pick_greedily(count: int, nats: Callable[[tuple[int, ...]], float]) -> tuple[int, ...]:
    """The ingredients of recipe 1 of the paper, for `count` models.

    nats: what the mean of the models at these places makes of the text; less is better. Each model is tried alone,
    then, from the best to the worst, in the soup: it stays in unless the soup gets worse. Of equal models the first
    comes first.
    """
    alone = [nats((place,)) for place in range(count)]
    best, *others = sorted(range(count), key=lambda place: (math.isnan(alone[place]), alone[place]))
    if not math.isfinite(alone[best]):
        raise MethodError("greedy_soup: no model has a finite perplexity on the text")
    soup, held = (best,), alone[best]
    for place in others:
        tried = nats((*soup, place))
        if tried <= held:
            soup, held = (*soup, place), tried
    return soup


def _check_several(name: str, count: int) -> None:
    if count < 2:
        raise MethodError(f"{name}: two or more models are needed, got {count}")
