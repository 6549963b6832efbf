"""Base + LoRA as a parent: added on the fly in float32, never rounded to the base's dtype first."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import full_model
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.errors import CheckpointError
from lineal.methods.merge.adapter import AdapterMerge, add_low_rank
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.ties import Ties
from tests.builders import Array, make_adapter, make_checkpoint, random_tensors, read_folder, same_bits
from tests.engines.merges import opened, write

BF16 = ml_dtypes.bfloat16
SHAPES = {"up.weight": (40, 130), "down.weight": (130, 40), "norm.weight": (40,)}
RANK = 5


def matrices(seed: int) -> dict[str, tuple[Array, Array]]:
    a = random_tensors(seed, {"up": (RANK, 130), "down": (RANK, 40)})
    b = random_tensors(seed + 1, {"up": (40, RANK), "down": (130, RANK)})
    return {module: (0.1 * a[module], 0.1 * b[module]) for module in a}


def explicit(base: dict[str, Array], pairs: dict[str, tuple[Array, Array]], scale: float) -> dict[str, Array]:
    """The same in float32, one rounding a step, in the order of the rank."""
    merged = {name: values.astype(np.float32) for name, values in base.items()}
    for module, (a, b) in pairs.items():
        scaled = np.float32(scale) * b
        total = scaled[:, :1] * a[:1]
        for k in range(1, RANK):
            total = total + scaled[:, k : k + 1] * a[k : k + 1]
        merged[f"{module}.weight"] = merged[f"{module}.weight"] + total
    return merged


@pytest.mark.parametrize("dtype", [np.float32, BF16, np.float16])
@pytest.mark.parametrize("window", [4096, 1 << 17])
def test_a_merge_of_adapters_is_the_merge_of_their_full_weights_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type, window: int
) -> None:
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
    base = random_tensors(1, SHAPES, dtype)
    origin = opened(tmp_path / "base", base)
    models, wide = [], []
    for i, seed in enumerate((10, 20)):
        adapter = make_adapter(tmp_path / f"adapter{i}", matrices(seed), lora_alpha=8)
        models.append(full_model(f"adapter{i}", origin.checkpoint, open_checkpoint(adapter)))
        wide.append(opened(tmp_path / f"wide{i}", explicit(base, matrices(seed), 8 / RANK)))
    write(plan_merge(Ties(density=0.3), models, origin), tmp_path / "on the fly")
    write(plan_merge(Ties(density=0.3), wide, origin), tmp_path / "explicit")
    found, expected = read_folder(tmp_path / "on the fly"), read_folder(tmp_path / "explicit")
    assert all(same_bits(found[name], expected[name]) for name in SHAPES)


def test_a_small_update_of_a_bf16_base_is_not_lost_before_the_merge(tmp_path: Path) -> None:
    base = {"up.weight": np.ones((4, 4), BF16)}
    checkpoint = open_checkpoint(make_checkpoint(tmp_path / "base", base))
    pair = (np.full((1, 4), 1e-3, np.float32), np.ones((4, 1), np.float32))
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", {"up": pair}, lora_alpha=1))
    adapted = full_model("adapter", checkpoint, adapter)
    plan = plan_merge(Linear(weights=(9.0,), normalize=False), [adapted])
    write(plan, tmp_path / "child")
    assert np.all(read_folder(tmp_path / "child")["up.weight"] == BF16(9 * np.float32(1.001)))
    assert BF16(1.001) == BF16(1)


def test_merging_an_adapter_into_its_base_rounds_once(tmp_path: Path) -> None:
    base = random_tensors(1, SHAPES, BF16)
    checkpoint = open_checkpoint(make_checkpoint(tmp_path / "base", base))
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", matrices(10), lora_alpha=10))
    write(plan_merge(AdapterMerge(), [full_model("adapter", checkpoint, adapter)]), tmp_path / "child")
    merged, expected = read_folder(tmp_path / "child"), explicit(base, matrices(10), 2.0)
    assert all(same_bits(merged[name], expected[name].astype(BF16)) for name in SHAPES)


def test_a_zero_adapter_is_its_base(tmp_path: Path) -> None:
    base = random_tensors(1, SHAPES, BF16)
    checkpoint = open_checkpoint(make_checkpoint(tmp_path / "base", base))
    zero = {module: (a, 0 * b) for module, (a, b) in matrices(10).items()}
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", zero))
    write(plan_merge(AdapterMerge(), [full_model("adapter", checkpoint, adapter)]), tmp_path / "child")
    assert all(same_bits(values, base[name]) for name, values in read_folder(tmp_path / "child").items())


@pytest.mark.parametrize("side", [0, 1])
def test_what_is_not_finite_in_an_adapter_is_refused_and_named(tmp_path: Path, side: int) -> None:
    checkpoint = open_checkpoint(make_checkpoint(tmp_path / "base", random_tensors(1, SHAPES)))
    pairs = matrices(10)
    pairs["up"][side][2, 3] = np.nan
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", pairs))
    with pytest.raises(CheckpointError, match="mine: nan at element"):
        stream(plan_merge(AdapterMerge(), [full_model("mine", checkpoint, adapter)]).jobs, Recomputation())


def test_an_update_is_the_same_for_any_stretch_of_elements() -> None:
    a, b = (values.astype(np.float32) for values in matrices(10)["up"])
    whole = np.ones(40 * 130, np.float32)
    add_low_rank(whole, 0, b, a)
    np.testing.assert_allclose(whole.reshape(40, 130) - 1, b.astype(np.float64) @ a, atol=1e-6)
    for start, stop in [(0, 1), (129, 131), (77, 1234), (5199, 5200), (130, 260), (9, 9)]:
        part = np.ones(stop - start, np.float32)
        add_low_rank(part, start, b, a)
        assert same_bits(part, whole[start:stop])
