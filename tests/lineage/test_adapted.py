"""What an adapter leaves as it is, where it adapts experts: their base may be stored as published, or fused."""

from collections.abc import Iterable

import pytest

from lineal.checkpoint.content.identity import Leaf, Manifest, manifest_of
from lineal.lineage.questions.adapted import not_adapted
from tests.lineage.families import digest

EXPERTS, INNER, HIDDEN, RANK = 2, 6, 4, 3
GATE_UP, DOWN = (RANK * EXPERTS, HIDDEN, 2 * INNER), (RANK * EXPERTS, INNER, HIDDEN)
"""Rank, what goes in and what comes out of an update."""


def of(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> Manifest:
    return manifest_of([Leaf(name, "F32", shape, 4, digest(name)) for name, shape in shapes], {})


def base(
    *, fused: bool, block: str = "mlp", names: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj")
) -> Manifest:
    """A mixture of a router and two experts."""
    router = (f"model.layers.0.{block}.gate.weight", (EXPERTS, HIDDEN))
    if fused:
        stacks = (("gate_up_proj", (EXPERTS, 2 * INNER, HIDDEN)), ("down_proj", (EXPERTS, HIDDEN, INNER)))
        return of([router, *((f"model.layers.0.{block}.experts.{name}", shape) for name, shape in stacks)])
    shapes = ((INNER, HIDDEN), (INNER, HIDDEN), (HIDDEN, INNER))
    experts = [
        (f"model.layers.0.{block}.experts.{e}.{name}.weight", shape)
        for e in range(EXPERTS)
        for name, shape in zip(names, shapes, strict=True)
    ]
    return of([router, *experts])


def adapter(**updates: tuple[int, int, int]) -> Manifest:
    """An update of each module."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for module, (rank, columns, rows) in updates.items():
        path = f"base_model.model.model.layers.0.mlp.{module.replace('__', '.')}"
        found += [(f"{path}.lora_A.weight", (rank, columns)), (f"{path}.lora_B.weight", (rows, rank))]
    return of(found)


BOTH = {"experts": DOWN, "experts__base_layer": GATE_UP}


@pytest.mark.parametrize("fused", [False, True])
def test_experts_that_are_adapted_are_not_listed(fused: bool) -> None:
    assert not_adapted(adapter(**BOTH), base(fused=fused)) == ("model.layers.*.mlp.gate",)
    router = {"gate": (RANK, HIDDEN, EXPERTS)}
    assert not_adapted(adapter(**BOTH, **router), base(fused=fused)) == ()
    before = {name: (rank, rows, columns) for name, (rank, columns, rows) in BOTH.items()}
    assert not_adapted(adapter(**before), base(fused=fused)) == ("model.layers.*.mlp.gate",)


def test_of_one_parameter_the_other_is_listed() -> None:
    assert not_adapted(adapter(experts=GATE_UP), base(fused=True)) == (
        "model.layers.*.mlp.experts.down_proj",
        "model.layers.*.mlp.gate",
    )
    assert not_adapted(adapter(experts=DOWN), base(fused=False)) == (
        "model.layers.*.mlp.experts.*.gate_proj (2)",
        "model.layers.*.mlp.experts.*.up_proj (2)",
        "model.layers.*.mlp.gate",
    )


def test_a_block_may_have_another_name_as_published() -> None:
    mixtral = base(fused=False, block="block_sparse_moe", names=("w1", "w3", "w2"))
    assert not_adapted(adapter(**BOTH), mixtral) == ("model.layers.*.block_sparse_moe.gate",)


def test_a_layer_of_one_expert_is_that_one() -> None:
    one = {"experts__1__up_proj": (RANK, HIDDEN, INNER)}
    assert "model.layers.*.mlp.experts.*.up_proj" in not_adapted(adapter(**one), base(fused=False))
    assert "model.layers.*.mlp.experts.*.gate_proj (2)" in not_adapted(adapter(**one), base(fused=False))
