"""Models in the registry: known by content, stored once, found where they lie."""

import os
from pathlib import Path

import pytest

from lineal.checkpoint.content.identity import Leaf, Manifest, manifest_of
from lineal.errors import DerivationError, RegistryError, UsageError
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.registry import Registry
from tests.databases import Database
from tests.lineage.families import digest, hash_of, model, step


def layered(name: str, own: str) -> ModelRecord:
    """A model of 40 layers, of which only one is its own; the others every such model shares."""
    leaves = [Leaf(f"layer.{i}", "BF16", (4, 2), 16, digest(f"shared {i}")) for i in range(39)]
    leaves.append(Leaf("layer.own", "F32", (), 4, digest(own)))
    return ModelRecord(manifest_of(leaves, {"config.json": digest("config"), "tokenizer.json": digest(name)}))


def count(registry: Registry, table: str) -> int:
    with registry.reading() as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").scalar_one()


def test_a_model_comes_back_as_it_went_in(registry: Registry):
    record = ModelRecord(layered("a", "a").manifest, "adapter", "apache-2.0")
    known = registry.model(registry.add_model(record))
    assert (known.form, known.licence, known.is_unresolved) == ("adapter", "apache-2.0", False)
    assert (known.parameters, known.tensor_bytes) == (39 * 8 + 1, 39 * 16 + 4)
    assert known.weights_hash == record.manifest.weights_hash
    assert registry.manifest(known.model_hash) == record.manifest


def test_adding_a_model_again_changes_nothing(registry: Registry):
    tables = ("model", "tensor", "tensor_spec", "model_tensor", "package_file", "model_package")
    _ = registry.add_model(layered("a", "a"))
    before = [count(registry, table) for table in tables]
    _ = registry.add_model(layered("a", "a"))
    assert [count(registry, table) for table in tables] == before


def test_a_licence_learned_later_is_kept_and_not_lost_again(registry: Registry):
    for licence in (None, "mit", None):
        model_hash = registry.add_model(model("a", licence=licence))
    assert registry.model(model_hash).licence == "mit"


def test_equal_tensors_and_files_of_many_models_are_stored_once(registry: Registry):
    registry.add_models(layered(f"m{i}", f"own {i}") for i in range(10))
    assert (count(registry, "model"), count(registry, "tensor"), count(registry, "model_tensor")) == (10, 49, 400)
    assert (count(registry, "tensor_spec"), count(registry, "package_file")) == (40, 11)


def test_the_manifests_of_two_models_say_which_tensor_changed(registry: Registry):
    one, other = (registry.manifest(registry.add_model(layered("m", own))) for own in ("x", "y"))
    assert [a.name for a, b in zip(one.leaves, other.leaves, strict=True) if a != b] == ["layer.own"]


def test_a_model_that_is_only_referred_to_is_unresolved_until_it_is_added(registry: Registry):
    child = registry.add_model(model("child"))
    _ = registry.record(step(child, hash_of("parent")))
    assert registry.model(hash_of("parent")).is_unresolved
    with pytest.raises(UsageError, match="is unresolved, its tensors are unknown: lineal add it first"):
        _ = registry.manifest(hash_of("parent"))
    _ = registry.add_model(model("parent"))
    assert not registry.model(hash_of("parent")).is_unresolved
    assert registry.manifest(hash_of("parent")) == model("parent").manifest
    assert [record.child for record in registry.steps_of(child)] == [child]


def test_an_unknown_model_is_refused(registry: Registry):
    assert not registry.knows(digest("nobody"))
    for question in (registry.model, registry.manifest, registry.locations):
        with pytest.raises(UsageError, match=r"knows no model b3:[0-9a-f]{64}: lineal add it first"):
            _ = question(digest("nobody"))


@pytest.mark.parametrize("wrong", [b"", b"x" * 31, b"x" * 33])
def test_a_hash_of_the_wrong_length_is_refused(registry: Registry, wrong: bytes):
    with pytest.raises(DerivationError, match="a hash is 32 bytes"):
        _ = registry.model(wrong)
    with pytest.raises(DerivationError, match="a hash is 32 bytes"):
        _ = step(wrong, digest("a"))


def test_a_manifest_with_a_tensor_twice_or_out_of_order_is_refused():
    leaf, later = (Leaf(name, "F32", (1,), 4, digest(name)) for name in ("a", "b"))
    for leaves in ((leaf, leaf), (later, leaf)):
        with pytest.raises(UsageError, match="names each tensor once, sorted"):
            _ = ModelRecord(Manifest(leaves, {}))


def test_a_manifest_that_was_tampered_with_is_refused(database: Database, place: str, registry: Registry):
    model_hash = registry.add_model(layered("a", "a"))
    _ = database.run(place, "UPDATE tensor_spec SET dtype = 'F16' WHERE name = 'layer.3'")
    with pytest.raises(RegistryError, match="do not give its hash: it is damaged"):
        _ = registry.manifest(model_hash)


def test_a_model_lies_in_several_places_and_a_place_holds_one_model(registry: Registry, tmp_path: Path):
    first = registry.add_model(model("a"), tmp_path / "x")
    _ = registry.add_model(model("a"), tmp_path / "y")
    assert registry.locations(first) == (tmp_path / "x", tmp_path / "y")
    second = registry.add_model(model("b"), tmp_path / "y")
    assert registry.locations(first) == (tmp_path / "x",)
    assert registry.locations(second) == (tmp_path / "y",)


def test_places_are_sorted_by_their_bytes(registry: Registry, tmp_path: Path):
    for name in ("b", "_", "a", "B", "\u00e9", "A.1", "A-1"):
        model_hash = registry.add_model(model("a"), tmp_path / name)
    known = [os.fsencode(place) for place in registry.locations(model_hash)]
    assert known == sorted(known)


def test_a_model_may_come_twice_in_one_call_and_a_licence_stays_told(registry: Registry):
    twice = model("a", licence="mit")
    registry.add_models([twice, model("b"), model("a"), twice, model("a")])
    assert registry.model(hash_of("a")).licence == "mit"
    assert count(registry, "model") == 2


def test_places_are_kept_absolute(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    model_hash = registry.add_model(model("a"), Path("models/../models/a"))
    assert registry.locations(model_hash) == (tmp_path / "models" / "a",)
    assert registry.resolve("./models/a") == model_hash


def test_a_forgotten_place_is_gone_and_its_model_stays_known(registry: Registry, tmp_path: Path):
    model_hash = registry.add_model(model("a"), tmp_path / "x")
    assert registry.forget(tmp_path / "x")
    assert not registry.forget(tmp_path / "x")
    assert registry.locations(model_hash) == ()
    assert registry.knows(model_hash)


def test_a_path_that_is_not_utf8_is_refused(registry: Registry, tmp_path: Path):
    with pytest.raises(RegistryError, match="it is not UTF-8; rename the folder"):
        _ = registry.add_model(model("a"), tmp_path / os.fsdecode(b"caf\xe9"))
    assert not registry.knows(hash_of("a"))


def test_many_models_are_added_all_or_none(registry: Registry):
    def interrupted():
        yield from (model(str(i)) for i in range(1500))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.add_models(interrupted())
    assert count(registry, "model") == 0
    registry.add_models(model(str(i)) for i in range(1500))
    assert count(registry, "model") == 1500


def test_the_schema_holds_a_model_in_a_kilobyte_and_a_tensor_reference_in_40_bytes(tmp_path: Path):
    models, tensors = 4000, 300
    with Registry.open(tmp_path / "models.db") as registry:
        hashes = [hash_of(str(i)) for i in range(models)]
        registry.add_models(ModelRecord(manifest_of([], {"config.json": digest(str(i))})) for i in range(models))
        _ = registry.record_all(
            step(hashes[i], hashes[i // 2], method="lora", rank=16, alpha=32, seed=str(i), target_modules="all-linear")
            for i in range(1, models)
        )
    assert (tmp_path / "models.db").stat().st_size < 1000 * models
    shared = [Leaf(f"layer.{i}.weight", "BF16", (4, 2), 16, digest(str(i))) for i in range(tensors)]
    with Registry.open(tmp_path / "tensors.db") as registry:
        registry.add_models(ModelRecord(manifest_of(shared, {"config.json": digest(str(i))})) for i in range(200))
    assert (tmp_path / "tensors.db").stat().st_size < 40 * tensors * 200 + 1000 * 200
