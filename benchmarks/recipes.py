"""The merges that are compared, each once as arguments of lineal and once as mergekit's YAML."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import yaml
from checkpoints import BASE, FINE_TUNES


@final
@dataclass(frozen=True)
class Recipe:
    """One merge of the two fine-tunes. The names of its options are the same on both sides.

    takes_first_as_base: mergekit calls the first of two models the base where lineal lists two parents.
    agreeing: least share of entries that must agree within one unit in the last place.
    """

    method: str
    options: Mapping[str, float | bool]
    weights: tuple[float, ...] = ()
    uses_base: bool = False
    takes_first_as_base: bool = False
    agreeing: float = 0.9999

    def inputs(self, folders: Mapping[str, Path]) -> list[Path]:
        """The folders that are read."""
        return [folders[name] for name in ((BASE,) if self.uses_base else ()) + FINE_TUNES]

    def words(self, folders: Mapping[str, Path]) -> list[str]:
        """What stands after `lineal merge`, but for the output."""
        words = [str(folders[name]) for name in FINE_TUNES]
        words += ["--base", str(folders[BASE])] if self.uses_base else []
        words += ["--method", self.method]
        words += ["--weights", ",".join(map(str, self.weights))] if self.weights else []
        for name, value in self.options.items():
            match value:
                case bool():
                    words.append(f"--{name}" if value else f"--no-{name}")
                case _:
                    words += [f"--{name}", str(value)]
        return words

    def mergekit(self, folders: Mapping[str, Path], arithmetic: str) -> str:
        """The same as YAML for mergekit-yaml, written as bfloat16; arithmetic: the dtype it computes in."""
        models: list[dict[str, Any]] = [{"model": str(folders[name])} for name in FINE_TUNES]
        for model, weight in zip(models, self.weights, strict=False):
            model["parameters"] = {"weight": weight}
        recipe: dict[str, Any] = {"merge_method": self.method, "models": models, "parameters": dict(self.options)}
        if self.uses_base or self.takes_first_as_base:
            recipe["base_model"] = str(folders[BASE if self.uses_base else FINE_TUNES[0]])
        return yaml.safe_dump({**recipe, "dtype": arithmetic, "out_dtype": "bfloat16"}, sort_keys=False)


_WEIGHTS = (0.6, 0.4)
_TIES = {"density": 0.5, "normalize": True}
_DARE_TIES = {"density": 0.5, "normalize": False, "rescale": True}

RECIPES = {
    recipe.method: recipe
    for recipe in (
        # task vectors of bfloat16 models often equal the threshold: lineal keeps all of those, mergekit some of them
        Recipe("ties", _TIES, _WEIGHTS, uses_base=True, agreeing=0.95),
        # each side draws masks of its own
        Recipe("dare_ties", _DARE_TIES, _WEIGHTS, uses_base=True, agreeing=0),
        Recipe("linear", {"normalize": True}, _WEIGHTS),
        Recipe("slerp", {"t": 0.5}, takes_first_as_base=True),
    )
}
