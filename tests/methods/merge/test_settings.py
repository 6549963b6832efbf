"""Options that depend on the tensor: rules by name, gradients over the blocks, levels in order."""

import pytest

from lineal.errors import MethodError
from lineal.methods.recipe.settings import Rule, look_up


@pytest.mark.parametrize(
    ("knots", "place", "value"),
    [
        ((1.0, 0.7, 0.1), 0.0, 1.0),
        ((1.0, 0.7, 0.1), 0.25, 0.85),
        ((1.0, 0.7, 0.1), 0.5, 0.7),
        ((1.0, 0.7, 0.1), 1.0, 0.1),
        ((0.0, 0.3, 0.7, 1.0), 2 / 3, 0.7),
        (0.4, 0.9, 0.4),
    ],
)
def test_numbers_of_a_gradient_are_interpolated_over_the_blocks(knots: object, place: float, value: float) -> None:
    assert Rule(value=knots).at(place) == pytest.approx(value, abs=1e-15)


def test_words_and_flags_of_a_gradient_hold_until_the_next_begins() -> None:
    rule = Rule(value=(True, False))
    assert [rule.at(block / 3) for block in range(4)] == [True, True, True, False]


def test_a_filter_is_part_of_the_name() -> None:
    assert Rule(value=1.0, filter="self_attn").applies_to("model.layers.3.self_attn.q_proj.weight")
    assert not Rule(value=1.0, filter="self.attn").applies_to("model.layers.3.self_attn.q_proj.weight")
    assert Rule(value=1.0, filter="*").applies_to("anything")


def test_the_first_rule_that_applies_counts_and_the_first_level_with_one() -> None:
    inner = {"t": (Rule(value=0.1, filter="mlp"), Rule(value=0.2, filter="up"))}
    outer = {"t": (Rule(value=0.9),), "s": (Rule(value=5.0),)}
    found = [look_up("t", (inner, outer), name, 0.0) for name in ("mlp.up", "up", "norm")]
    assert found == [0.1, 0.2, 0.9]
    assert look_up("s", (inner, outer), "mlp.up", 0.0) == 5.0
    assert look_up("r", (inner, outer), "mlp.up", 0.0) is None


def test_a_gradient_of_nothing_is_refused() -> None:
    with pytest.raises(MethodError, match="a gradient needs at least one value"):
        Rule(value=())
