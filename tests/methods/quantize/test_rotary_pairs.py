"""The rows of queries and keys: what transformers rotates as halves, ggml's Llama rotates as neighbours."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.rotary_pairs import RotaryPairs
from lineal.methods.streaming import Site
from tests.builders import Array, random_tensors, same_bits
from tests.llamas import permuted

HEAD = 6


def turned_as_halves(head: Array, angles: Array) -> Array:
    """transformers: x cos + rotate_half(x) sin, pair i being rows i and i + half."""
    first, second = np.split(head, 2)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin])


def turned_as_neighbours(head: Array, angles: Array) -> Array:
    """ggml_rope of type normal: pair i being rows 2 i and 2 i + 1."""
    out = np.empty_like(head)
    out[::2] = head[::2] * np.cos(angles) - head[1::2] * np.sin(angles)
    out[1::2] = head[1::2] * np.cos(angles) + head[::2] * np.sin(angles)
    return out


def test_rows_of_a_pair_become_neighbours() -> None:
    rows = np.arange(2 * HEAD, dtype=np.float32).reshape(-1, 1)
    found = RotaryPairs(head_size=HEAD)([rows])
    assert found.ravel().tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("columns", [(), (5,)])
def test_it_is_the_permutation_of_llama_cpp_s_converter(heads: int, columns: tuple[int, ...]) -> None:
    values = random_tensors(1, {"w": (heads * HEAD, *columns)})["w"]
    assert same_bits(RotaryPairs(head_size=HEAD)([values]), permuted(values, heads))


def test_scores_of_queries_and_keys_stay_what_they_were() -> None:
    generator = np.random.default_rng(1)
    query, key = generator.standard_normal((2, HEAD))
    near, far = generator.standard_normal((2, HEAD // 2))
    before = turned_as_halves(query, near) @ turned_as_halves(key, far)
    pair = RotaryPairs(head_size=HEAD)
    moved = [pair([vector.astype(np.float32)]).astype(np.float64) for vector in (query, key)]
    after = turned_as_neighbours(moved[0], near) @ turned_as_neighbours(moved[1], far)
    assert after == pytest.approx(before, abs=1e-5)


@pytest.mark.parametrize(("shape", "unit"), [((12, 32), 6 * 32), ((12,), 6)])
def test_a_head_is_never_divided(shape: tuple[int, ...], unit: int) -> None:
    assert RotaryPairs(head_size=HEAD).unit(Site("w", shape, 1)) == unit


@pytest.mark.parametrize("size", [0, 3, -2])
def test_heads_have_an_even_number_of_rows(size: int) -> None:
    with pytest.raises(MethodError, match=f"head_size must be an even number, got {size}"):
        RotaryPairs(head_size=size)
