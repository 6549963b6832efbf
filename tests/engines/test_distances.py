"""How far apart two models are: against numpy in float64, and what a LoRA, a pruning and a training look like."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.compare.distances import LARGEST_RANK, Distance, distances
from lineal.engines.parents.model import Model, full_model
from tests.builders import CONFIG, Array, make_adapter, make_checkpoint, random_tensors

NAME = "model.layers.0.mlp.up_proj.weight"
SHAPES = {NAME: (300, 200), "model.norm.weight": (200,), "scalar": ()}


def model(folder: Path, tensors: dict[str, Array]) -> Model:
    return full_model(folder.name, open_checkpoint(make_checkpoint(folder, tensors, CONFIG)))


def measured(folder: Path, before: dict[str, Array], after: dict[str, Array], **options: Any) -> dict[str, Distance]:
    found = distances(model(folder / "before", before), model(folder / "after", after), **options)
    return {one.name: one for one in found}


def low_rank(rank: int, scale: float = 0.05) -> Array:
    generator = np.random.default_rng(7)
    return scale * generator.standard_normal((300, rank)) @ generator.standard_normal((rank, 200))


def test_norms_and_shares_are_numpy_s(tmp_path: Path) -> None:
    before = random_tensors(1, SHAPES)
    after = {name: values.copy() for name, values in before.items()}
    after[NAME].reshape(-1)[::7] += np.float32(0.5)
    after["scalar"] = after["scalar"] + np.float32(2)
    done: list[int] = []
    found = measured(tmp_path, before, after, threads=2, bytes_done=done.append)
    assert sum(done) == 2 * 4 * (300 * 200 + 200 + 1)
    for name, one in found.items():
        change = after[name].astype(np.float64) - before[name]
        assert one.norm == pytest.approx(float(np.sqrt((change**2).sum())), rel=1e-12)
        norm = float(np.sqrt((before[name].astype(np.float64) ** 2).sum()))
        assert one.relative == pytest.approx(one.norm / norm, rel=1e-12)
        assert one.changed == np.count_nonzero(change) / change.size
    assert (found["model.norm.weight"].rank, found["scalar"].rank, found["model.norm.weight"].norm) == (None, None, 0)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.float16])
@pytest.mark.parametrize("rank", [1, 4, 16, 60])
def test_a_low_rank_change_shows_its_rank_through_rounding(tmp_path: Path, rank: int, dtype: Any) -> None:
    weight = random_tensors(2, SHAPES)[NAME]
    before = {NAME: weight.astype(dtype)}
    after = {NAME: (before[NAME].astype(np.float64) + low_rank(rank, 1.0)).astype(dtype)}
    found = measured(tmp_path, before, after)[NAME]
    assert found.rank == rank


def test_a_dense_change_and_no_change(tmp_path: Path) -> None:
    before, other = random_tensors(3, SHAPES), random_tensors(4, SHAPES)
    assert measured(tmp_path / "a", before, other)[NAME].rank == LARGEST_RANK + 1
    same = measured(tmp_path / "b", before, before)
    assert [(one.norm, one.relative, one.changed) for one in same.values()] == [(0, 0, 0)] * 3
    assert same[NAME].rank == 0


def test_rounding_alone_has_no_rank(tmp_path: Path) -> None:
    weight = random_tensors(5, SHAPES)[NAME]
    found = measured(tmp_path, {NAME: weight}, {NAME: weight.astype(ml_dtypes.bfloat16)})[NAME]
    assert found.rank == 0
    assert found.changed > 0.9


def test_a_pruning_shows_as_a_share_of_the_entries(tmp_path: Path) -> None:
    before = random_tensors(6, SHAPES)
    after = {name: values.copy() for name, values in before.items()}
    after[NAME][np.abs(after[NAME]) < np.median(np.abs(after[NAME]))] = 0
    assert measured(tmp_path, before, after)[NAME].changed == pytest.approx(0.5, abs=1e-4)


def test_an_adapter_is_compared_as_the_weights_it_stands_for(tmp_path: Path) -> None:
    base = model(tmp_path / "base", random_tensors(8, SHAPES))
    generator = np.random.default_rng(9)
    pair = (generator.standard_normal((8, 200), np.float32), generator.standard_normal((300, 8), np.float32))
    folder = make_adapter(tmp_path / "adapter", {NAME.removesuffix(".weight"): pair})
    adapted = full_model("adapter", base.checkpoint, open_checkpoint(folder))
    found = {one.name: one for one in distances(base, adapted)}
    assert found[NAME].rank == 8
    assert found["model.norm.weight"].norm == 0


def test_what_has_another_shape_or_is_in_one_model_only_is_left_out(tmp_path: Path) -> None:
    before = random_tensors(1, SHAPES)
    after = {"model.norm.weight": np.ones(100, np.float32), "scalar": before["scalar"], "more": np.ones(3, np.float32)}
    assert list(measured(tmp_path, before, after)) == ["scalar"]
