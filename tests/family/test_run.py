"""Running a family: what exists is kept, what is missing is built, what is damaged is made anew."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.package import vocabulary
from lineal.checkpoint.quantized.counted import parameters_of
from lineal.errors import CheckpointError, DerivationError, MethodError, NotEnoughSpace, UsageError
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.file.recipe import Reference
from lineal.family.session import Session
from lineal.lineage.questions import ancestry
from lineal.lineage.records.lineal_json import read_provenance
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from tests.builders import make_adapter, make_checkpoint, make_tokenizer, random_tensors, read_folder
from tests.family.conftest import MERGES, SHAPES, derive_one, write_family


def run(session: Session, folder: Path, text: str = MERGES, *wanted: str):
    return run_family(session, read_family(write_family(folder, text), session.knows), folder / "models", wanted)


def states(folder: Path) -> dict[str, tuple[int, int]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".locks" not in path.parts)
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_a_family_is_built_with_the_arithmetic_of_its_methods(session: Session, parents: Path) -> None:
    run(session, parents)
    a, b, c = (read_folder(parents / name) for name in "abc")
    found = read_folder(parents / "models" / "last")
    for name in SHAPES:
        between = Slerp(t=0.3)([a[name], b[name]])
        total = TaskArithmetic(weights=(0.5, 0.25))([b[name], c[name]], base=a[name])
        np.testing.assert_array_equal(found[name], Linear(weights=(3, 1))([between, total]))


def test_running_twice_changes_nothing(session: Session, parents: Path) -> None:
    run(session, parents)
    before = states(parents / "models")
    run(session, parents)
    assert states(parents / "models") == before


def test_a_model_that_a_kill_left_without_its_name_or_place_gets_them_back(session: Session, parents: Path) -> None:
    built = run(session, parents)["last"]
    with session.registry.writing() as connection:
        for table in ("journal", "name", "location"):
            connection.execute_raw(f"DELETE FROM {table}")
    run(session, parents)
    assert session.registry.resolve("last") == built.model_hash
    assert session.registry.locations(built.model_hash) == (built.folder.resolve(),)
    shutil.move(parents / "models", parents / "moved")
    run_family(session, read_family(parents / "family.yaml", session.knows), parents / "moved")
    assert parents / "moved" / "last" in session.registry.locations(built.model_hash)


def test_only_what_a_change_concerns_is_built_again_and_the_old_is_kept_aside(session: Session, parents: Path) -> None:
    first = run(session, parents)
    before = states(parents / "models")
    second = run(session, parents, MERGES.replace("t: 0.3", "t: 0.4"))
    after = states(parents / "models")
    changed = {
        Path(path).relative_to(parents / "models").parts[0] for path in before if before[path] != after.get(path)
    }
    assert changed == {"between", "last"}
    assert second["sum"].model_hash == first["sum"].model_hash
    kept = {path.name for path in (parents / "models" / ".replaced").iterdir()}
    assert kept == {f"{name}-{first[name].model_hash.hex()[:12]}" for name in ("between", "last")}
    replaced = parents / "models" / ".replaced" / f"last-{first['last'].model_hash.hex()[:12]}"
    assert session.registry.locations(first["last"].model_hash) == (replaced,)


def test_only_the_wanted_models_and_their_ancestors_are_built(session: Session, parents: Path) -> None:
    assert list(run(session, parents, MERGES, "sum")) == ["a", "b", "c", "sum"]
    assert not (parents / "models" / "last").exists()
    with pytest.raises(UsageError, match=r"no model 'summ' \(did you mean sum\?\)"):
        run(session, parents, MERGES, "summ")


def test_a_damaged_output_is_made_anew_with_the_same_hash(session: Session, parents: Path) -> None:
    first = run(session, parents)["sum"]
    weights = first.folder / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    second = run(session, parents)["sum"]
    assert second.model_hash == first.model_hash
    assert weights.read_bytes() != bytes(damaged)


def test_an_edited_card_is_no_damage(session: Session, parents: Path) -> None:
    card = run(session, parents)["sum"].folder / "README.md"
    card.write_text("my own words")
    run(session, parents)
    assert card.read_text() == "my own words"


def test_a_folder_that_lineal_did_not_make_is_not_replaced(session: Session, parents: Path) -> None:
    precious = parents / "models" / "sum"
    precious.mkdir(parents=True)
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="exists and was not made by lineal"):
        run(session, parents)
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_a_lost_registry_is_filled_again_from_what_lies_there(session: Session, parents: Path) -> None:
    first = run(session, parents)["last"]
    before = states(parents / "models")
    other = Session(type(session.registry).open(parents / "other" / "registry.db"))
    with other.registry:
        again = run(other, parents)["last"]
        assert states(parents / "models") == before
        assert again.model_hash == first.model_hash
        assert len(ancestry.ancestors(other.registry, again.model_hash)) == 5


def test_the_plan_says_what_the_run_does(session: Session, parents: Path) -> None:
    family = read_family(write_family(parents, MERGES))
    planned = plan_family(session, family, parents / "models")
    assert not (parents / "models").exists()
    assert {p.name for p in planned if p.status == "to build"} == {"between", "sum", "last"}
    built = run(session, parents)
    for line in planned:
        checkpoint = built[line.name].checkpoint
        assert (line.parameters, line.tensor_bytes) == (parameters_of(checkpoint), checkpoint.tensor_bytes)
    assert {p.status for p in plan_family(session, family, parents / "models")} == {"present"}


def test_an_output_says_what_it_is_made_of_without_local_paths(session: Session, parents: Path) -> None:
    built = run(session, parents)
    folder = built["sum"].folder
    record = json.loads((folder / "lineal.json").read_text())
    assert [(i["role"], i["name"]) for i in record["inputs"]] == [
        ("base", "small:a"),
        ("parent", "small:b"),
        ("parent", "small:c"),
    ]
    provenance = read_provenance(folder)
    assert provenance is not None
    assert provenance.hashes.manifest.model_hash == built["sum"].model_hash
    assert [i.model_hash for i in provenance.step.inputs] == [built[name].model_hash for name in "abc"]
    for path in folder.iterdir():
        assert str(parents).encode() not in path.read_bytes(), path.name


def test_the_card_has_the_hubs_front_matter(session: Session, parents: Path) -> None:
    import yaml

    card = (run(session, parents)["sum"].folder / "README.md").read_text()
    matter = yaml.safe_load(card.split("---")[1])
    assert matter == {"library_name": "transformers", "tags": ["lineal", "merge", "task_arithmetic"]}


def test_config_and_tokenizer_travel_byte_for_byte(session: Session, parents: Path) -> None:
    folder = run(session, parents)["sum"].folder
    for file in ("config.json", "tokenizer.json"):
        assert (folder / file).read_bytes() == (parents / "a" / file).read_bytes()


def test_parents_that_do_not_fit_are_refused_and_nothing_is_written(session: Session, parents: Path) -> None:
    make_checkpoint(parents / "b", {**random_tensors(1, SHAPES), "model.norm.weight": np.ones(9, np.float32)})
    make_tokenizer(parents / "c", {"x": 1, "y": 0})
    text = MERGES.replace("parents: [a, b], method: slerp, t: 0.3", "parents: [a, b, c], method: linear")
    with pytest.raises(CheckpointError) as caught:
        run(session, parents, text, "between")
    assert "'model.norm.weight' is [8] in small:a, [9] in small:b" in str(caught.value)
    assert "'x' is id 0 in small:a, 1 in small:c" in str(caught.value)
    assert not (parents / "models" / "between").exists()
    assert vocabulary(parents / "c") == {"x": 1, "y": 0}


def test_a_merge_of_too_few_is_refused_before_anything_is_written(session: Session, parents: Path) -> None:
    (parents / "made").mkdir()
    with pytest.raises(DerivationError, match="linear needs 2 parents, got 1"):
        derive_one(session, "merge", Linear(), [Reference("parent", str(parents / "a"))], parents / "made" / "out")
    assert not list((parents / "made").iterdir())


def test_nan_in_a_parent_is_refused_by_name_and_allowed_on_request(session: Session, parents: Path) -> None:
    tensors = random_tensors(1, SHAPES)
    tensors["model.norm.weight"][3] = np.nan
    make_checkpoint(parents / "b", tensors)
    with pytest.raises(CheckpointError, match=r"small:b: nan at element 3 of 'model\.norm\.weight'"):
        run(session, parents, MERGES, "between")
    run(session, parents, MERGES.replace("t: 0.3", "t: 0.3, allow_nonfinite: true"), "between")
    assert np.isnan(read_folder(parents / "models" / "between")["model.norm.weight"][3])


def test_a_full_disk_is_found_before_the_first_byte(
    session: Session, parents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(parents)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(NotEnoughSpace, match="bytes are needed, 1,000 are free"):
        run(session, parents, MERGES, "between")
    monkeypatch.undo()
    run(session, parents)


def test_adapters_are_merged_as_full_weights_on_their_base(session: Session, parents: Path) -> None:
    rng = np.random.default_rng(5)
    module = "model.layers.0.mlp.up_proj"
    a, b = rng.standard_normal((2, 8)).astype(np.float32), rng.standard_normal((16, 2)).astype(np.float32)
    make_adapter(parents / "tuned", {module: (a, b)}, lora_alpha=6)
    text = """
models:
  a: {original: {path: ./a}}
  tuned: {original: {path: ./tuned}}
  whole: {merge: {parents: [tuned], base: a, method: adapter}}
  half: {merge: {parents: [tuned], base: a, method: task_arithmetic, weights: [0.5]}}
"""
    run(session, parents, text)
    base = read_folder(parents / "a")[f"{module}.weight"].astype(np.float64)
    update = 3.0 * b.astype(np.float64) @ a
    whole = read_folder(parents / "models" / "whole")[f"{module}.weight"]
    half = read_folder(parents / "models" / "half")[f"{module}.weight"]
    np.testing.assert_allclose(whole, base + update, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(half, base + update / 2, rtol=1e-5, atol=1e-5)


def test_an_adapter_of_unknown_base_needs_one_named(session: Session, parents: Path) -> None:
    pair = (np.ones((1, 8), np.float32), np.ones((16, 1), np.float32))
    make_adapter(parents / "tuned", {"model.layers.0.mlp.up_proj": pair})
    text = "models: {tuned: {original: {path: ./tuned}}, whole: {merge: {parents: [tuned], method: adapter}}}"
    with pytest.raises(MethodError, match=r"the base of the adapter .*tuned is not known; name it as base"):
        run(session, parents, text)


def test_merging_a_model_with_itself_reproduces_it_and_is_no_cycle(session: Session, parents: Path) -> None:
    text = "models: {a: {original: {path: ./a}}, same: {merge: {parents: [a, a], method: linear}}}"
    built = run(session, parents, text)
    assert built["same"].model_hash == built["a"].model_hash
    assert session.registry.steps_of(built["a"].model_hash)[0].reproduces
    assert ancestry.ancestors(session.registry, built["a"].model_hash) == ()
