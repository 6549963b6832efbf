"""LoRA's configuration: ranges, scaling, initial values, counts and targets."""

import math

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.finetune.lora import Lora, LoraConfig
from lineal.methods.finetune.lora_targets import LinearLayer, resolve_targets

LAYERS = [
    *(
        LinearLayer(f"model.layers.{i}.{name}", 8, 8)
        for i in range(2)
        for name in ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj")
    ),
    LinearLayer("lm_head", 8, 32, is_head=True),
]


def paths(targets) -> list[str]:
    return [layer.path for layer in resolve_targets(LoraConfig(rank=2, target_modules=targets), LAYERS)]


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"rank": 0}, "rank"),
        ({"rank": -1}, "rank"),
        ({"rank": True}, "rank"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"dropout": -0.1}, "dropout"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_values_out_of_range_are_refused(options, refused):
    with pytest.raises(MethodError, match=refused):
        LoraConfig(**options)
    with pytest.raises(MethodError, match=refused):
        Lora(**options)


def test_the_defaults_are_rank_8_alpha_8_without_dropout_and_seed_42():
    assert LoraConfig() == LoraConfig(8, 8.0, 0.0, (), 42, False)
    assert Lora().config == LoraConfig()


def test_scaling_is_alpha_over_rank_or_over_its_root_when_rank_stabilized():
    assert LoraConfig(rank=4, alpha=6.0).scaling == 1.5
    assert LoraConfig(rank=4, alpha=6.0, rank_stabilized=True).scaling == 3.0


def test_a_target_of_in_and_out_features_has_rank_times_their_sum_parameters():
    assert LoraConfig(rank=3).trainable_parameters(10, 7) == 51


def test_A_starts_uniform_within_one_over_the_root_of_in_features():
    bound = 1 / math.sqrt(400)
    drawn = LoraConfig(rank=50).initial_A("model.layers.0.mlp.up_proj", 400)
    assert drawn.shape == (50, 400)
    assert drawn.dtype == np.float32
    assert np.abs(drawn).max() <= bound
    assert abs(drawn.mean()) < bound / 50
    assert drawn.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_A_depends_on_the_seed_and_the_module_alone():
    first = LoraConfig(rank=4).initial_A("a", 16)
    assert np.array_equal(first, LoraConfig(rank=4, alpha=1.0, dropout=0.5).initial_A("a", 16))
    assert not np.array_equal(first, LoraConfig(rank=4).initial_A("b", 16))
    assert not np.array_equal(first, LoraConfig(rank=4, seed=43).initial_A("a", 16))


def test_a_larger_rank_begins_with_the_rows_of_a_smaller_one():
    assert np.array_equal(LoraConfig(rank=8).initial_A("a", 16)[:4], LoraConfig(rank=4).initial_A("a", 16))


def test_all_linear_and_no_targets_mean_every_linear_layer_but_the_head():
    assert paths("all-linear") == paths(()) == [layer.path for layer in LAYERS[:-1]]


def test_names_match_the_end_of_a_path_at_a_dot():
    assert paths(("q_proj",)) == ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"]
    assert paths(("1.mlp.up_proj", "lm_head")) == ["model.layers.1.mlp.up_proj", "lm_head"]
    with pytest.raises(MethodError, match="'proj'"):
        paths(("proj",))


def test_a_text_is_a_regular_expression_for_the_whole_path():
    assert paths(r".*\.0\..*(q|v)_proj") == ["model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj"]
    with pytest.raises(MethodError, match=r"a list \[q_proj\] matches by name"):
        paths("q_proj")
    with pytest.raises(MethodError, match="not a regular expression"):
        paths("(q_proj")


def test_a_target_that_matches_no_module_is_refused_even_beside_one_that_does():
    with pytest.raises(MethodError, match=r"'q_prj'.*did you mean q_proj"):
        paths(("v_proj", "q_prj"))


def test_a_model_without_linear_layers_has_no_targets():
    with pytest.raises(MethodError, match=r"no torch\.nn\.Linear"):
        resolve_targets(LoraConfig(), [])


def test_a_rank_above_the_smaller_side_of_a_target_is_refused_with_its_name():
    layers = [LinearLayer("a", 16, 16), LinearLayer("b", 16, 4)]
    assert len(resolve_targets(LoraConfig(rank=4), layers)) == 2
    with pytest.raises(MethodError, match=r"rank 5 is more than b \[4, 16\] allows: at most 4"):
        resolve_targets(LoraConfig(rank=5), layers)
