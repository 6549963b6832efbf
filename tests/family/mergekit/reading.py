"""Recipes in mergekit's YAML, read where a, b and c are known models."""

from pathlib import Path

import pytest

from lineal.errors import RecipeError, StorageError
from lineal.family.file.mergekit.files import read_mergekit_file
from lineal.family.file.recipe import ModelRecipe
from lineal.methods.method import Method


def nowhere(repository: str, revision: str | None) -> str:
    raise StorageError(f"{repository}@{revision}: not to be had")


def read(folder: Path, text: str, out: str = "out") -> dict[str, ModelRecipe]:
    path = folder / "recipe.yml"
    path.write_text(text)
    return dict(read_mergekit_file(path, folder / out, lambda name: name in "abc", nowhere).models)


def method(folder: Path, text: str) -> Method:
    (recipe,) = read(folder, text).values()
    assert recipe.method is not None
    return recipe.method


def inputs(folder: Path, text: str) -> list[tuple[str, str]]:
    (recipe,) = read(folder, text).values()
    return [(reference.role, reference.model) for reference in recipe.inputs]


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder / 'recipe.yml'}:") for line in str(caught.value).splitlines()]
