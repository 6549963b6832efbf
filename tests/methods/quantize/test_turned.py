"""Elements in another order: as numpy's transpose has them, whatever is seen of them at once."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.turned import Turned
from lineal.methods.streaming import Site
from tests.builders import same_bits
from tests.llamas import permuted


def test_values_are_handed_on_in_the_other_order() -> None:
    values = np.random.default_rng(1).standard_normal((12, 5)).astype(np.float32)
    assert same_bits(Turned(dims=(12, 5), axes=(1, 0))([values]).reshape(5, 12), np.ascontiguousarray(values.T))
    assert same_bits(Turned(dims=(2, 2, 5), axes=(1, 0, 2))([values]), permuted(values, heads=3))


def test_a_block_never_divides_what_is_turned_together() -> None:
    assert Turned(dims=(2, 2, 5), axes=(1, 0, 2)).unit(Site("w", (12, 5), 1)) == 20


def test_one_model_is_needed() -> None:
    with pytest.raises(MethodError, match="turned: the elements of one model are reordered at a time, got 2"):
        Turned(dims=(2, 2), axes=(1, 0)).check_models(2)
