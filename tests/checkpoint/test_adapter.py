"""What a LoRA adapter does to its base: read exactly as PEFT means it, or refused."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.adapter.adapter import LowRankUpdate, low_rank_updates
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from lineal.expressions import Expressions
from tests.builders import Array, make_adapter, make_checkpoint, read_safetensors, write_safetensors

Q, UP = "model.layers.0.self_attn.q_proj", "model.layers.10.mlp.up_proj"
RANK = 2


@pytest.fixture
def base(tmp_path: Path) -> Path:
    tensors: dict[str, Array] = {
        f"{Q}.weight": np.ones((4, 3), np.float32),
        f"{UP}.weight": np.ones((6, 3), np.float32),
        "codes.weight": np.ones((4, 3), np.int8),
        "norm.weight": np.ones(4, np.float32),
    }
    return make_checkpoint(tmp_path / "base", tensors)


def pair(inputs: int, outputs: int, rank: int = RANK) -> tuple[Array, Array]:
    return np.ones((rank, inputs), np.float32), np.ones((outputs, rank), np.float32)


PAIRS = {Q: pair(3, 4), UP: pair(3, 6)}


def updates(folder: Path, base: Path) -> dict[str, LowRankUpdate]:
    full = open_checkpoint(base)
    return low_rank_updates(open_checkpoint(folder), full, full.config)


def refuse(folder: Path, base: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        updates(folder, base)
    assert str(folder) in str(caught.value)


def test_each_pair_of_matrices_changes_one_weight(tmp_path: Path, base: Path) -> None:
    found = updates(make_adapter(tmp_path / "a", PAIRS), base)
    assert found.keys() == {f"{Q}.weight", f"{UP}.weight"}
    assert (found[f"{UP}.weight"].a.shape, found[f"{UP}.weight"].b.shape) == ((2, 3), (6, 2))


@pytest.mark.parametrize(
    ("config", "scales"),
    [
        ({"lora_alpha": 3}, (1.5, 1.5)),
        ({"lora_alpha": 0.5}, (0.25, 0.25)),
        ({"lora_alpha": 3, "use_rslora": True}, (3 / math.sqrt(2), 3 / math.sqrt(2))),
        ({"lora_alpha": 3, "alpha_pattern": {"q_proj": 8}}, (4.0, 1.5)),
        ({"lora_alpha": 3, "alpha_pattern": {"layers.1": 8, "proj": 9}}, (1.5, 1.5)),
        ({"lora_alpha": 3, "alpha_pattern": {".*proj": 8}}, (4.0, 4.0)),
        ({"lora_alpha": 3, "alpha_pattern": {"up_proj": 6, ".*": 8}}, (4.0, 3.0)),
        (
            {"lora_alpha": 3, "alpha_pattern": {"layers.0.self_attn.q_proj|mlp": 8}, "use_rslora": True},
            (8 / 2**0.5, 3 / 2**0.5),
        ),
    ],
)
def test_the_scale_is_what_peft_makes_of_the_config(
    tmp_path: Path, base: Path, config: dict[str, Any], scales: tuple[float, float]
) -> None:
    found = updates(make_adapter(tmp_path / "a", PAIRS, **config), base)
    assert (found[f"{Q}.weight"].scale, found[f"{UP}.weight"].scale) == scales


def test_ranks_may_differ_by_module(tmp_path: Path, base: Path) -> None:
    pairs = {Q: pair(3, 4, 2), UP: pair(3, 6, 3)}
    folder = make_adapter(tmp_path / "a", pairs, r=2, rank_pattern={"up_proj": 3}, lora_alpha=6)
    assert [update.scale for update in updates(folder, base).values()] == [3.0, 2.0]


UNSUPPORTED = [
    {"use_dora": True},
    {"fan_in_fan_out": True},
    {"bias": "all"},
    {"lora_bias": True},
    {"trainable_token_indices": [1]},
    {"layer_replication": [[0, 2], [1, 3]]},
    {"alora_invocation_tokens": [5]},
    {"use_qalora": True},
    {"use_bdlora": {"nblocks": 2}},
    {"arrow_config": {"top_k": 3}},
    {"kasa_config": {"beta": 0.1}},
]


@pytest.mark.parametrize("config", UNSUPPORTED, ids=[next(iter(config)) for config in UNSUPPORTED])
def test_what_is_more_than_a_low_rank_update_is_refused(tmp_path: Path, base: Path, config: dict[str, Any]) -> None:
    refuse(make_adapter(tmp_path / "a", PAIRS, **config), base, f"{next(iter(config))} = .* is not supported")


def test_modules_that_are_trained_whole_are_named(tmp_path: Path, base: Path) -> None:
    folder = make_adapter(tmp_path / "a", PAIRS, modules_to_save=["lm_head", "norm"])
    refuse(
        folder,
        base,
        r"trains lm_head, norm whole \(modules_to_save\); only updates of linear layers .* merge_and_unload",
    )


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_16", "olora", "OLoRA", "loftq", "corda", "lora_ga"])
def test_an_adapter_that_changed_its_base_is_refused(tmp_path: Path, base: Path, start: str) -> None:
    folder = make_adapter(tmp_path / "a", PAIRS, init_lora_weights=start)
    refuse(folder, base, f"init_lora_weights = {start!r} changed the base")


@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "orthogonal"])
def test_other_starts_are_no_matter(tmp_path: Path, base: Path, start: bool | str) -> None:
    assert len(updates(make_adapter(tmp_path / "a", PAIRS, init_lora_weights=start), base)) == 2


@pytest.mark.parametrize("kind", ["IA3", "PROMPT_TUNING", "LOHA", None])
def test_other_kinds_of_adapters_are_refused(tmp_path: Path, base: Path, kind: str | None) -> None:
    refuse(make_adapter(tmp_path / "a", PAIRS, peft_type=kind), base, "only LORA can be part of weights")


@pytest.mark.parametrize("side", ["A", "B"])
def test_a_lone_matrix_is_refused(tmp_path: Path, base: Path, side: str) -> None:
    folder = make_adapter(tmp_path / "a", PAIRS)
    tensors = read_safetensors(folder / "adapter_model.safetensors")
    del tensors[f"base_model.model.{Q}.lora_{'B' if side == 'A' else 'A'}.weight"]
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    refuse(folder, base, f"q_proj' has only lora_{side}")


@pytest.mark.parametrize("module", ["model.layers.7.mlp.up_proj", "layers.0.self_attn.q_proj", f"{Q}.weight"])
def test_a_module_that_the_base_lacks_is_refused(tmp_path: Path, base: Path, module: str) -> None:
    refuse(make_adapter(tmp_path / "a", {module: pair(3, 4)}), base, f"adapts '{module}', which its base does not have")


@pytest.mark.parametrize(
    "key",
    [
        f"base_model.model.{Q}.lora_embedding_A",
        f"base_model.model.{Q}.lora_magnitude_vector",
        f"base_model.model.{Q}.lora_B.bias",
        f"base_model.model.{Q}.lora_A.default.weight",
        "base_model.model.lm_head.weight",
        f"{Q}.lora_A.weight",
    ],
)
def test_a_key_that_is_no_matrix_of_a_linear_layer_is_refused(tmp_path: Path, base: Path, key: str) -> None:
    folder = make_adapter(tmp_path / "a", PAIRS)
    tensors = read_safetensors(folder / "adapter_model.safetensors")
    write_safetensors(folder / "adapter_model.safetensors", {**tensors, key: np.ones(2, np.float32)})
    refuse(folder, base, "which is not a linear layer .* only updates of linear layers can be taken")


SHAPES = [
    (Q, (2, 4), (4, 2)),
    (Q, (2, 3), (3, 2)),
    (Q, (2, 3), (4, 3)),
    (Q, (2, 3, 1), (4, 2)),
    (Q, (6,), (8,)),
    ("norm", (2, 1), (4, 2)),
    ("codes", (2, 3), (4, 2)),
]


@pytest.mark.parametrize(("module", "a", "b"), SHAPES)
def test_matrices_that_do_not_fit_the_weight_are_refused(
    tmp_path: Path, base: Path, module: str, a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    folder = make_adapter(tmp_path / "a", {module: (np.ones(a, np.float32), np.ones(b, np.float32))})
    refuse(folder, base, f"'{module}': A .* B .* do not fit the weight")


CONFIGS = [
    {"lora_alpha": None},
    {"lora_alpha": "all"},
    {"r": 3},
    {"r": None},
    {"rank_pattern": {"q_proj": 4}},
    {"alpha_pattern": {"q_proj": []}},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_that_gives_no_scale_is_refused(tmp_path: Path, base: Path, config: dict[str, Any]) -> None:
    refuse(make_adapter(tmp_path / "a", PAIRS, **config), base, "no scale for 'model.layers")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"alpha_pattern": {"(": 4}}, r"'\(' is not a regular expression: missing \)"),
        ({"rank_pattern": {"q" * 1001: 2}}, "an expression of 1001 letters"),
        ({"rank_pattern": {"(a{101}){100}": 2}}, r"'\(a\{101\}\)\{100\}' repeats more than 10000 times"),
        ({"rank_pattern": ["q_proj"]}, "rank_pattern must map patterns to numbers, got .'q_proj'.$"),
        ({"alpha_pattern": "q_proj"}, "alpha_pattern must map patterns to numbers, got 'q_proj'$"),
        ({"alpha_pattern": 8}, "alpha_pattern must map patterns to numbers, got 8$"),
    ],
)
def test_patterns_that_cannot_be_compared_are_refused(
    tmp_path: Path, base: Path, config: dict[str, Any], said: str
) -> None:
    refuse(make_adapter(tmp_path / "a", PAIRS, **config), base, said)


def test_patterns_that_take_too_long_are_an_error_and_no_answer(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Expressions.__init__, "__defaults__", (0.0,))
    folder = make_adapter(tmp_path / "a", PAIRS, alpha_pattern={"q_proj": 8})
    refuse(folder, base, "the expression 'q_proj' takes too long to compare with names")


def test_rank_zero_is_refused(tmp_path: Path, base: Path) -> None:
    refuse(make_adapter(tmp_path / "a", {Q: pair(3, 4, 0)}), base, "no scale for 'model.layers")
