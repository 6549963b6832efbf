"""The same weights in another layout, as the registry keeps them."""

from dataclasses import replace
from typing import Any

import pytest

from lineal.checkpoint.content import identity
from lineal.checkpoint.content.identity import Leaf
from lineal.derivation.hashes import format_hash
from lineal.errors import RegistryError, UsageError
from lineal.lineage.questions.graph import family_graph
from lineal.lineage.questions.layouts import in_another_layout, in_both_layouts, with_layout
from lineal.lineage.questions.portrait import portrait
from lineal.lineage.records.records import ModelRecord, another_layout
from lineal.lineage.registry import Registry
from lineal.lineage.shown.as_json import graph_as_json
from lineal.lineage.soundness.check import check
from tests.databases import BEFORE_SEALS, Database
from tests.lineage.families import in_layouts, model, step

APART, FUSED = in_layouts("m", fused=False), in_layouts("m", fused=True)
TABLES = ("model", "tensor", "tensor_spec", "model_tensor", "model_published_tensor", "seal")


def count(registry: Registry, table: str) -> int:
    with registry.reading() as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").scalar_one()


def published(registry: Registry, model: bytes) -> tuple[Leaf, ...] | None:
    return in_both_layouts(registry, model)[1]


def test_a_layout_hash_is_kept_and_finds_the_models_that_have_it(registry: Registry) -> None:
    apart, fused = registry.add_model(APART), registry.add_model(FUSED)
    other = registry.add_model(in_layouts("other", fused=True))
    known = [registry.model(one) for one in (apart, fused, other)]
    assert apart != fused
    assert known[0].layout_hash == known[1].layout_hash == APART.layout_hash is not None
    assert another_layout(known[0], known[1])
    assert not another_layout(known[0], known[0])
    assert not another_layout(known[0], known[2])
    with registry.reading() as connection:
        assert with_layout(connection, known[0].layout_hash) == (apart, fused)
        assert in_another_layout(connection, known[0]) == (fused,)
        assert in_another_layout(connection, registry.model(registry.add_model(model("a")))) == ()
    assert published(registry, apart) == published(registry, fused) == APART.manifest.leaves
    assert registry.manifest(fused) == FUSED.manifest
    assert check(registry).faults == ()


def test_only_what_is_not_stored_as_published_takes_rows_and_tensors_are_shared(registry: Registry) -> None:
    registry.add_model(APART)
    tensors = count(registry, "tensor")
    assert count(registry, "model_published_tensor") == 0
    registry.add_model(FUSED)
    assert count(registry, "model_published_tensor") == len(APART.manifest.leaves)
    assert count(registry, "tensor") == tensors + len(FUSED.manifest.leaves) - 1  # the norm they have in common
    before = [count(registry, table) for table in TABLES]
    registry.add_models([APART, FUSED, replace(FUSED, published=None)])
    assert [count(registry, table) for table in TABLES] == before


def test_a_model_whose_layouts_are_not_known_has_none(registry: Registry) -> None:
    digest = registry.add_model(model("a"))
    assert (registry.model(digest).layout_hash, published(registry, digest)) == (None, None)


def test_what_was_recorded_without_is_completed_and_not_lost_again(registry: Registry) -> None:
    for record in (replace(FUSED, published=None), FUSED, replace(FUSED, published=None)):
        digest = registry.add_model(record)
    assert registry.model(digest).layout_hash == FUSED.layout_hash
    registry.add_models([in_layouts("n", fused=True), replace(in_layouts("n", fused=True), published=None)])
    assert registry.model(in_layouts("n", fused=True).manifest.model_hash).layout_hash is not None
    assert check(registry).faults == ()


def test_a_later_table_of_layouts_takes_the_place_of_an_earlier_one(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the earlier one said holds together, until the model is hashed again."""
    digest = registry.add_model(FUSED)
    monkeypatch.setattr(identity, "TABLE_VERSION", 2)
    assert check(registry).faults == ()
    assert published(registry, digest) == FUSED.published
    later = ModelRecord(FUSED.manifest, published=in_layouts("as it is seen now", fused=False).manifest.leaves)
    registry.add_model(later)
    assert published(registry, digest) == later.published
    assert registry.model(digest).layout_hash == later.layout_hash
    assert check(registry).faults == ()


def test_published_tensors_come_once_each_and_sorted() -> None:
    with pytest.raises(UsageError, match="names each tensor once, sorted"):
        _ = replace(FUSED, published=APART.manifest.leaves[::-1])


A_ROW = "tensor_id = (SELECT max(tensor_id) FROM model_published_tensor)"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"DELETE FROM model_published_tensor WHERE {A_ROW}", ""),
        ("DELETE FROM model_published_tensor", ""),
        ("UPDATE model SET layout_hash = weights_hash WHERE id = 1", ""),
        ("UPDATE model SET layout_hash = NULL WHERE id = 2", "published tensors are known, but not its layout hash"),
        ("UPDATE model SET layout_hash = NULL WHERE id = 1", "model_layout: 1 of its rows is gone"),
    ],
)
def test_what_was_done_behind_its_back_is_named(
    database: Database, place: str, registry: Registry, statement: str, said: str
) -> None:
    registry.add_models([APART, FUSED])
    _ = database.run(place, statement)
    said = said or "do not give its layout hash: it is damaged"
    assert any(said in fault for fault in check(registry).faults)


def test_tampered_published_tensors_are_not_given_out(database: Database, place: str, registry: Registry) -> None:
    digest = registry.add_model(FUSED)
    _ = database.run(place, f"DELETE FROM model_published_tensor WHERE {A_ROW}")
    with pytest.raises(RegistryError, match="do not give its layout hash: it is damaged"):
        _ = published(registry, digest)


def test_an_older_registry_knows_no_layout_hash_until_models_are_added_again(
    database: Database, place: str, registry: Registry
) -> None:
    digest = registry.add_model(FUSED)
    _ = database.run(place, *BEFORE_SEALS)
    with Registry.open_existing(place) as older:
        assert (older.model(digest).layout_hash, published(older, digest)) == (None, None)
        assert check(older).faults == ()
        older.add_model(FUSED)
        assert published(older, digest) == FUSED.published
        assert check(older).faults == ()


def test_a_step_that_gave_the_weights_of_an_input_in_another_layout_is_told(registry: Registry) -> None:
    apart, fused, plain = (registry.add_model(one) for one in (APART, FUSED, model("plain")))
    relaid, tuned = step(fused, plain, apart), step(registry.add_model(in_layouts("n", fused=True)), apart)
    registry.record_all([relaid, tuned])
    expected = {(fused, relaid.step.derivation_id): apart}
    assert portrait(registry, fused).relaid == expected
    assert portrait(registry, fused).in_another_layout == (apart,)
    assert portrait(registry, tuned.child).relaid == {}
    graph = family_graph(registry, [fused, tuned.child])
    assert graph.relaid == expected
    models: Any = graph_as_json(graph)["models"]
    told = {one["model"]: one["steps"] for one in models}
    assert [one["another_layout_of"] for one in told[format_hash(fused)]] == [format_hash(apart)]
    assert [one["another_layout_of"] for one in told[format_hash(tuned.child)]] == [None]
    assert not registry.steps_of(fused)[0].reproduces
