"""Whose bytes a model's tensors have."""

import pytest

from lineal.checkpoint.content.identity import Leaf, manifest_of
from lineal.errors import UsageError
from lineal.lineage.questions.blame import blame
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.registry import Registry
from tests.lineage.families import digest, in_layouts, step


def holding(registry: Registry, **tensors: str) -> bytes:
    """A model whose tensors' bytes are given by words."""
    leaves = [Leaf(name, "F32", (2,), 8, digest(data)) for name, data in sorted(tensors.items())]
    return registry.add_model(ModelRecord(manifest_of(leaves, {"config.json": digest(repr(sorted(tensors)))})))


def introduced(registry: Registry, model: bytes, tensor: str | None = None) -> dict[str, bytes]:
    return {one.tensor: one.introduced_by for one in blame(registry, model, tensor)}


def test_each_tensor_goes_back_to_the_first_that_had_its_bytes(registry: Registry) -> None:
    base = holding(registry, a="one", b="two", c="three")
    tuned = holding(registry, a="one", b="two'", c="three")
    pruned = holding(registry, a="one", b="two'", c="three'")
    for child, parent in ((tuned, base), (pruned, tuned)):
        _ = registry.record(step(child, parent))
    assert introduced(registry, pruned) == {"a": base, "b": tuned, "c": pruned}
    assert introduced(registry, pruned, "b") == {"b": tuned}
    assert introduced(registry, base) == dict.fromkeys("abc", base)


def test_bytes_are_followed_to_another_name_and_through_the_first_parent_that_has_them(registry: Registry) -> None:
    one, two = holding(registry, x="deep", y="only"), holding(registry, x="deep", z="other")
    stacked = holding(registry, p="deep", q="only", r="other", s="own")
    _ = registry.record(step(stacked, one, two))
    assert introduced(registry, stacked) == {"p": one, "q": one, "r": two, "s": stacked}


def test_bytes_that_came_back_are_those_of_the_step_that_brought_them_back(registry: Registry) -> None:
    first, second = holding(registry, a="old", b="x"), holding(registry, a="new", b="x")
    third = holding(registry, a="old", b="y")
    _ = registry.record(step(second, first))
    _ = registry.record(step(third, second))
    assert introduced(registry, third)["a"] == third


def test_a_tensor_that_is_not_there_and_a_model_nobody_added_are_refused(registry: Registry) -> None:
    model = holding(registry, a="one")
    with pytest.raises(UsageError, match="has no tensor 'b'"):
        blame(registry, model, "b")
    _ = registry.record(step(model, digest("gone")))
    with pytest.raises(UsageError, match="is unresolved"):
        blame(registry, digest("gone"))
    assert introduced(registry, model) == {"a": model}


@pytest.mark.parametrize("parent_fused", [False, True])
def test_tensors_are_followed_into_another_layout(registry: Registry, parent_fused: bool) -> None:
    parent = registry.add_model(in_layouts("m", fused=parent_fused))
    child = registry.add_model(in_layouts("m", fused=not parent_fused, tail="'"))
    _ = registry.record(step(child, parent))
    found = introduced(registry, child)
    expert = "model.layers.0.mlp.experts.1.up_proj.weight"
    assert found.pop("model.norm.weight") == child
    assert (len(found), set(found.values()), found[expert]) == (6, {parent}, parent)
    assert introduced(registry, child, expert) == {expert: parent}


def test_a_fused_tensor_is_asked_for_by_what_it_is_published_as(registry: Registry) -> None:
    fused = registry.add_model(in_layouts("m", fused=True))
    with pytest.raises(UsageError) as refused:
        blame(registry, fused, "model.layers.0.mlp.experts.gate_up_proj")
    assert str(refused.value).startswith(
        "'model.layers.0.mlp.experts.gate_up_proj' is asked for by the tensors that it is published as, such as "
        "model.layers.0.mlp.experts.0.down_proj.weight, "
    )
    with pytest.raises(UsageError, match="has no tensor"):
        blame(registry, fused, "model.layers.0.mlp.experts.gate")
