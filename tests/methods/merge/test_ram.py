"""RAM by hand-computed cases: what one model alone has changed, and what several have."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.ram import Ram, RamPlus
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.streaming import StreamingMethod
from tests.builders import same_bits

FIRST = np.array([4, 0, 2, 0, 1, -3], np.float32)
SECOND = np.array([0, 6, 4, 0, 1, 1], np.float32)
THIRD = np.array([0, 0, 0, 0, 4, 5], np.float32)


def merged(method: StreamingMethod, *models: np.ndarray) -> list[float]:
    return method(models, base=np.zeros_like(models[0])).tolist()


def test_lone_changes_stay_whole_and_shared_ones_are_averaged_over_those_that_changed() -> None:
    assert merged(Ram(), FIRST, SECOND, THIRD) == [4, 6, 3, 0, 2, 1]


def test_up_to_epsilon_an_entry_counts_as_unchanged() -> None:
    assert merged(Ram(epsilon=1.0), FIRST, SECOND, THIRD) == [4, 6, 3, 0, 4, 1]
    tiny = np.array([1e-5, 2e-5, 0], np.float32)
    assert merged(Ram(), tiny) == [0, np.float32(2e-5), 0]
    assert merged(Ram(epsilon=0), tiny) == tiny.tolist()


def test_lone_changes_are_enlarged_by_the_ratio_of_shared_to_lone_ones() -> None:
    # the first: 3 shared, 1 alone; the second: 3 shared, 1 alone; the third: 2 shared, none alone
    assert merged(RamPlus(r=0.5, alpha=10), FIRST, SECOND, THIRD) == [4 * 2.5, 6 * 2.5, 3, 0, 2, 1]
    assert merged(RamPlus(r=0.5, alpha=2), FIRST, SECOND, THIRD) == [4 * 2, 6 * 2, 3, 0, 2, 1]


def test_each_model_has_its_own_ratio() -> None:
    first, second = np.array([1, 1, 1, 1, 0, 0], np.float32), np.array([3, 0, 0, 0, 1, 0], np.float32)
    # shared is the first position: 1 to 3 and 1 to 1
    assert merged(RamPlus(r=0.75, alpha=1), first, second) == [2, 1.25, 1.25, 1.25, 1.75, 0]


def test_epsilon_decides_what_is_counted_too() -> None:
    # the first: 2 shared, 1 alone; the second: 1 and 1; the third: 1 and 1
    assert merged(RamPlus(epsilon=1.0, r=1, alpha=10), FIRST, SECOND, THIRD) == [4 * 3, 6 * 2, 3, 0, 4 * 2, 1]


@pytest.mark.parametrize("options", [{"r": 0}, {"alpha": 0}])
def test_without_strength_or_ratio_it_is_ram_bit_for_bit(options: dict[str, float]) -> None:
    generator = np.random.default_rng(1)
    base, *models = generator.standard_normal((4, 5000)).astype(np.float32)
    found = RamPlus(epsilon=0.7, **options)(models, base=base)
    assert same_bits(found, Ram(epsilon=0.7)(models, base=base))


@pytest.mark.parametrize("method", [Ram(epsilon=0), RamPlus(epsilon=0)])
def test_of_one_model_it_is_task_arithmetic(method: StreamingMethod) -> None:
    base, model = np.random.default_rng(1).standard_normal((2, 5000)).astype(np.float32)
    assert same_bits(method([model], base=base), TaskArithmetic()([model], base=base))


@pytest.mark.parametrize(
    ("method", "options"),
    [(Ram, {"epsilon": -1e-9}), (RamPlus, {"epsilon": -1}), (RamPlus, {"r": -0.1}), (RamPlus, {"alpha": -1})],
)
def test_a_negative_option_is_refused(method: type[StreamingMethod], options: dict[str, float]) -> None:
    ((option, value),) = options.items()
    with pytest.raises(MethodError, match=rf"{method.name}: {option} must be at least 0, got {float(value)}"):
        method.from_options(options)


def test_a_base_is_needed() -> None:
    with pytest.raises(MethodError, match="ram: a base is needed"):
        Ram().check(2, has_base=False)
