"""What every pruning method promises."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lineal.engines.stream import tensor_pass
from lineal.methods.catalogue import methods
from lineal.methods.streaming import StreamingMethod
from tests.builders import Array, same_bits
from tests.engines.merges import folder_bytes
from tests.engines.prunings import LAYERS, OTHERS, model_tensors, prune
from tests.examples import PRUNINGS, Example
from tests.reference import selection

BF16 = ml_dtypes.bfloat16

every_pruning = pytest.mark.parametrize("example", PRUNINGS, ids=lambda example: example.id)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, BF16, np.float16, ml_dtypes.float8_e4m3fn])


def with_sparsity(method: StreamingMethod, sparsity: float) -> StreamingMethod:
    return type(method).from_options({**method.options(), "sparsity": sparsity})


def zeros(tensors: Mapping[str, Array]) -> dict[str, Any]:
    return {name: tensors[name] == 0 for name in LAYERS}


def test_every_pruning_method_is_enrolled() -> None:
    assert {type(example.method) for example in PRUNINGS} == {
        method for (kind, _), method in methods().items() if kind == "prune"
    }


@every_pruning
@every_dtype
def test_it_is_the_reference_bit_for_bit_and_all_else_stays(tmp_path: Path, example: Example, dtype: Any) -> None:
    parent = model_tensors(1, dtype)
    child = prune(tmp_path, example.method, parent)
    assert child.keys() == parent.keys()
    for name in LAYERS:
        assert same_bits(child[name], example.reference([parent[name]], None, name).astype(dtype))
    assert all(same_bits(child[name], parent[name]) for name in OTHERS)


@every_pruning
def test_so_many_weights_become_zero_and_no_more(tmp_path: Path, example: Example) -> None:
    options: dict[str, Any] = example.method.options()
    found = zeros(prune(tmp_path, example.method, model_tensors(1, BF16)))
    for name, (rows, columns) in LAYERS.items():
        group, groups = (columns, rows) if options["scope"] == "row" else (rows * columns, 1)
        share = selection.count(options["sparsity"], group)
        assert found[name].reshape(groups, group).sum(1).tolist() == [share] * groups


@every_pruning
@every_dtype
def test_a_share_of_zero_is_the_parent_byte_for_byte(tmp_path: Path, example: Example, dtype: Any) -> None:
    parent = model_tensors(1, dtype)
    parent["model.layers.0.self_attn.q_proj.weight"][3] = -0.0
    child = prune(tmp_path, with_sparsity(example.method, 0), parent)
    assert all(same_bits(child[name], parent[name]) for name in parent)


@every_pruning
@every_dtype
def test_pruning_twice_is_pruning_once(tmp_path: Path, example: Example, dtype: Any) -> None:
    parent = model_tensors(1, dtype)
    parent["model.layers.0.self_attn.q_proj.weight"][::2] = -0.0
    once = prune(tmp_path / "once", example.method, parent)
    twice = prune(tmp_path / "twice", example.method, once)
    assert all(same_bits(twice[name], once[name]) for name in parent)


@every_pruning
def test_a_higher_share_takes_the_same_weights_and_more(tmp_path: Path, example: Example) -> None:
    parent = model_tensors(1)
    lower = zeros(parent)
    for sparsity in (0.1, 0.3, 0.31, 0.8, 0.99):
        higher = zeros(prune(tmp_path / str(sparsity), with_sparsity(example.method, sparsity), parent))
        assert all((lower[name] <= higher[name]).all() for name in LAYERS)
        lower = higher


@every_pruning
def test_threads_and_the_parent_s_shards_do_not_change_a_byte(tmp_path: Path, example: Example) -> None:
    parent = model_tensors(1, BF16)
    prune(tmp_path / "one", example.method, parent, threads=1)
    expected = folder_bytes(tmp_path / "one" / "child")
    for threads, shards in [(2, 1), (3, 2), (2, 7)]:
        folder = tmp_path / f"{threads}{shards}"
        prune(folder, example.method, dict(reversed(parent.items())), shards=shards, threads=threads)
        assert folder_bytes(folder / "child") == expected


@every_pruning
def test_the_window_does_not_change_a_byte(tmp_path: Path, example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = {name: np.round(values * 4) for name, values in model_tensors(1).items()}  # ties in every window
    prune(tmp_path / "whole", example.method, parent)
    expected = folder_bytes(tmp_path / "whole" / "child")
    for window in (7, 1024, 4096):
        monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
        prune(tmp_path / str(window), example.method, parent)
        assert folder_bytes(tmp_path / str(window) / "child") == expected


@every_pruning
def test_a_method_leaves_its_input_alone(example: Example) -> None:
    name = "model.layers.0.mlp.down_proj.weight"
    parent = model_tensors(1)[name]
    given_values = parent.copy()
    example.method([given_values], name=name)
    assert same_bits(given_values, parent)


VALUES = st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1e-40, 1.1754944e-38, 0.5, -0.5, 1.0, -1.0, 1.0000001, 3e38, -3e38])


@every_pruning
@settings(max_examples=40)
@given(st.data())
def test_on_tensors_of_any_shape_it_is_the_reference_bit_for_bit(example: Example, data: st.DataObject) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    values = data.draw(arrays.arrays(np.float32, shape, elements=VALUES, fill=st.nothing()))
    found = example.method([values])
    assert same_bits(found, example.reference([values], None, "w").astype(np.float32))
