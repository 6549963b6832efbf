"""Tensors that no parent has."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.constant import Constant
from lineal.methods.streaming import Block, Site


def test_every_block_gets_its_part_of_the_values() -> None:
    values = (1.0, 0.1, 2.5, 8.0, 1 / 3)
    (sweep,) = Constant(values=values).sweeps(Site("w", (5,), 0))
    found = np.zeros(5, np.float32)
    for start, stop in ((0, 2), (2, 3), (3, 5)):
        sweep.over(Block(start, np.empty(0, np.float32), np.empty((0, stop - start), np.float32), found[start:stop]))
    assert found.tolist() == np.array(values, np.float32).tolist()


def test_it_is_made_from_no_model() -> None:
    Constant(values=(1.0,)).check_models(0)
    with pytest.raises(MethodError, match="made from no model, got 1"):
        Constant(values=(1.0,)).check_models(1)
