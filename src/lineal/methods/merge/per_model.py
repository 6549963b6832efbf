"""Options that may differ from model to model: one number for all of a merge's models, or one for each."""

from typing import TypeAlias

from lineal.errors import MethodError

PerModel: TypeAlias = float | tuple[float, ...]


def written(value: PerModel) -> tuple[float, ...]:
    """The numbers as they stand: one for all, or one for each."""
    return value if isinstance(value, tuple) else (value,)


def spread(method: str, option: str, value: PerModel, models: int) -> tuple[float, ...]:
    """One number for each model."""
    numbers = written(value)
    if len(numbers) not in (1, models):
        raise MethodError(f"{method}: {len(numbers)} values of {option} for {models} models")
    return numbers if len(numbers) == models else numbers * models


def check_density(method: str, density: PerModel) -> None:
    """A density is a share to keep: none would leave the base alone."""
    if density == () or not all(0 < share <= 1 for share in written(density)):
        raise MethodError(f"{method}: density must be in (0, 1], got {density}")
