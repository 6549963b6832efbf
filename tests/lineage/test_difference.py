"""What differs between two models, by hashes."""

from dataclasses import replace

from lineal.checkpoint.content.identity import Leaf, manifest_of
from lineal.lineage.questions.difference import Change, difference
from lineal.lineage.questions.search import matches
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.registry import Registry
from tests.lineage.families import digest, in_layouts

LEAVES = {
    "model.embed_tokens.weight": Leaf("model.embed_tokens.weight", "F32", (4, 2), 32, digest("e")),
    "model.layers.0.mlp.weight": Leaf("model.layers.0.mlp.weight", "F32", (2, 2), 16, digest("0")),
    "model.layers.1.mlp.weight": Leaf("model.layers.1.mlp.weight", "F32", (2, 2), 16, digest("1")),
}


def known(registry: Registry, leaves: dict[str, Leaf], config: str = "c") -> bytes:
    files = {"config.json": digest(config)}
    return registry.add_model(ModelRecord(manifest_of([leaves[name] for name in sorted(leaves)], files)))


def test_a_model_differs_in_nothing_from_itself_and_in_a_file_from_its_like(registry: Registry) -> None:
    one, other = known(registry, LEAVES), known(registry, LEAVES, "other")
    assert difference(registry, one, one).is_empty
    found = difference(registry, one, other)
    assert (found.same_weights, found.package, found.is_empty) == (True, {"config.json": Change.CHANGED}, False)
    assert {tensor.change for tensor in found.tensors} == {Change.SAME}


def test_tensors_change_come_go_and_take_another_dtype(registry: Registry) -> None:
    embedding, zero, one = LEAVES
    changed = {
        embedding: Leaf(embedding, "BF16", (4, 2), 16, digest("e")),
        zero: Leaf(zero, "F32", (2, 2), 16, digest("0'")),
        "model.layers.2.mlp.weight": Leaf("model.layers.2.mlp.weight", "F32", (2, 2), 16, digest("2")),
    }
    found = difference(registry, known(registry, LEAVES), known(registry, changed))
    assert {tensor.name: (tensor.change, tensor.block) for tensor in found.tensors} == {
        embedding: (Change.RETYPED, None),
        zero: (Change.CHANGED, 0),
        one: (Change.REMOVED, 1),
        "model.layers.2.mlp.weight": (Change.ADDED, 2),
    }
    assert [tensor.name for tensor in found.of(Change.CHANGED)] == [zero]
    assert not found.same_weights


def test_a_buffer_that_one_of_them_stores_is_no_difference(registry: Registry) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    with_buffer = {**LEAVES, name: Leaf(name, "F32", (4,), 16, digest("f"))}
    found = difference(registry, known(registry, LEAVES), known(registry, with_buffer))
    assert found.is_empty
    assert {tensor.name for tensor in found.tensors} == LEAVES.keys()


def test_a_model_is_found_by_its_hash_its_weights_and_its_tensors(registry: Registry) -> None:
    this, like = known(registry, LEAVES), known(registry, LEAVES, "other")
    part = known(registry, {name: leaf for name, leaf in LEAVES.items() if "layers" in name}, "part")
    _ = known(registry, {"x": Leaf("x", "F32", (1,), 4, digest("x"))}, "stranger")
    asked = ModelRecord(registry.manifest(this))
    found = matches(registry, asked)
    assert [(match.model_hash, match.same_model, match.same_weights) for match in found] == [
        (this, True, True),
        (like, False, True),
        (part, False, False),
    ]
    assert [(match.shared_tensors, match.shared_bytes) for match in found] == [(3, 64), (3, 64), (2, 32)]
    assert len(matches(registry, asked, limit=1)) == 1
    renamed = manifest_of([Leaf("other.name", "F32", (2, 2), 16, digest("1"))], {})
    assert {match.model_hash for match in matches(registry, ModelRecord(renamed))} == {this, like, part}


def test_the_same_weights_in_another_layout_are_no_difference(registry: Registry) -> None:
    apart, fused = (registry.add_model(in_layouts("m", fused=fused)) for fused in (False, True))
    for one, other in ((apart, fused), (fused, apart)):
        found = difference(registry, one, other)
        assert (found.same_weights, found.another_layout, found.is_empty) == (True, True, True)
        assert [tensor.name for tensor in found.tensors] == [
            leaf.name for leaf in in_layouts("m", fused=False).manifest.leaves
        ]
    assert not difference(registry, fused, fused).another_layout


def test_models_in_two_layouts_differ_by_published_tensors(registry: Registry) -> None:
    tuned = registry.add_model(in_layouts("m", fused=True, tail="'"))
    found = difference(registry, registry.add_model(in_layouts("m", fused=False)), tuned)
    assert (found.same_weights, found.another_layout) == (False, False)
    assert [tensor.name for tensor in found.of(Change.CHANGED)] == ["model.norm.weight"]
    assert len(found.of(Change.SAME)) == 6


def test_where_one_is_not_known_as_published_both_are_compared_as_they_are_stored(registry: Registry) -> None:
    fused = registry.add_model(replace(in_layouts("m", fused=True), published=None))
    found = difference(registry, registry.add_model(in_layouts("m", fused=False)), fused)
    assert (len(found.of(Change.ADDED)), len(found.of(Change.REMOVED)), found.another_layout) == (2, 6, False)
