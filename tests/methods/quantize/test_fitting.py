"""Types that fit a size: against every choice there is, on few tensors."""

from itertools import product

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.fitting import Option, assumed_loss, fitted, squared_error

A = [Option("Q2_K", 10, 9.0), Option("Q4_K", 20, 3.0), Option("Q8_0", 40, 0.5)]
B = [Option("Q2_K", 10, 4.0), Option("Q4_K", 20, 1.0), Option("Q8_0", 40, 0.1)]
FIXED = [Option("F32", 5, 0.0)]
OPTIONS = {"a": A, "b": B, "norm": FIXED}


def size_and_loss(types: dict[str, str]) -> tuple[int, float]:
    taken = [option for name in OPTIONS for option in OPTIONS[name] if option.kind == types[name]]
    return sum(option.size for option in taken), sum(option.loss for option in taken)


def best(most: int) -> float:
    """By trying everything."""
    choices = product(*OPTIONS.values())
    return min(sum(o.loss for o in choice) for choice in choices if sum(o.size for o in choice) <= most)


@pytest.mark.parametrize("most", [25, 30, 34, 35, 45, 55, 65, 70, 85, 1000])
def test_it_fits_and_nothing_that_fits_loses_less(most: int) -> None:
    size, loss = size_and_loss(fitted(OPTIONS, most))
    assert size <= most
    assert loss == best(most)


def test_too_few_bytes_are_refused_with_the_least_there_is() -> None:
    with pytest.raises(MethodError, match="gguf: 24 bytes are too few; the smallest that there is takes 25"):
        fitted(OPTIONS, 24)
    with pytest.raises(MethodError, match="gguf: 24 bytes are too few; the smallest that there is takes 1,025"):
        fitted(OPTIONS, 24 - 1000, beside=1000)  # what was asked for and what is needed, of the whole file both


def test_it_begins_with_what_it_is_given() -> None:
    begun = {"a": "Q4_K", "b": "Q8_0", "norm": "F32"}
    assert fitted(OPTIONS, 65, begun) == begun  # it fits as it is
    assert fitted(OPTIONS, 45, begun) == {"a": "Q4_K", "b": "Q4_K", "norm": "F32"}  # b loses least
    assert fitted(OPTIONS, 85, begun) == {"a": "Q8_0", "b": "Q8_0", "norm": "F32"}


def test_equal_steps_are_taken_in_the_order_of_the_tensors() -> None:
    assert fitted({"a": A, "b": A}, 30) == {"a": "Q4_K", "b": "Q2_K"}
    assert fitted({"b": A, "a": A}, 30) == {"b": "Q4_K", "a": "Q2_K"}


def test_a_type_that_takes_more_and_loses_more_is_not_taken() -> None:
    assert fitted({"a": [Option("Q4_K", 10, 1.0), Option("Q5_0", 12, 2.0)]}, 100) == {"a": "Q4_K"}


def test_many_tensors_take_little_time_and_all_the_room() -> None:
    numbers = np.random.default_rng(1)
    options = {
        f"{n}": [Option(f"{k}", 100 * k, float(loss)) for k, loss in enumerate(sorted(numbers.random(7))[::-1], 1)]
        for n in range(3000)
    }
    found = fitted(options, 1_200_050)
    assert 1_199_900 <= sum(100 * int(kind) for kind in found.values()) <= 1_200_050


def test_a_bit_more_leaves_a_quarter_of_the_loss() -> None:
    assert assumed_loss(128, 256) == 4 * assumed_loss(160, 256) == 256 / 4**4


def test_the_error_is_weighed_by_column() -> None:
    values = np.array([1, 2, 3, 4], np.float32)
    rounded = np.array([1, 1, 3, 2], np.float32)
    sums = np.zeros(2)
    squared_error(values, rounded, np.array([1, 10], np.float32), sums)
    assert sums.tolist() == [10 + 40, 1 + 40 + 9 + 160]
