"""What becomes of an answer: kept as inferred, beside what is known, with what contradicts it said."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.derivation.step import Input, Step
from lineal.errors import AnswerIsNo
from lineal.family.build.one_off import derive, family_of_one, method_from_words
from lineal.family.file.recipe import Reference
from lineal.family.origin.add import add_folder
from lineal.family.origin.adopt import explain, keep
from lineal.family.session import Session
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import StepRecord
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.builders import make_adapter, make_checkpoint, random_tensors
from tests.llamas import CONFIG
from tests.trained_llamas import linear, trained_like, tuned, two_of_four

BASE = trained_like(1, num_hidden_layers=1)
TUNED = tuned(BASE, 2)


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Session]:
    """A base, and a twin of another seed."""
    with Registry.open(tmp_path / "registry.db") as registry:
        session = Session(registry, threads=1)
        for name, tensors in {"base": BASE, "twin": trained_like(9, num_hidden_layers=1)}.items():
            _ = add_folder(session, make_checkpoint(tmp_path / name, tensors, CONFIG), f"zoo:{name}")
        yield session


def write(folder: Path, name: str, card: str | None = None) -> str:
    place = make_checkpoint(folder / name, TUNED, CONFIG)
    if card is not None:
        (place / "README.md").write_text(f"---\n{card}\n---\n# A model\n")
    return str(place)


def test_an_adopted_model_is_registered_with_an_inferred_step_and_what_stands_behind_it(
    known: Session, tmp_path: Path
) -> None:
    answer = explain(known, write(tmp_path, "unknown"))
    assert keep(known, answer) == ()
    child = known.registry.resolve("unknown")
    (record,) = known.registry.steps_of(child)
    assert record.evidence is Evidence.INFERRED
    assert [used.model_hash for used in record.step.inputs] == [known.registry.resolve("base")]
    assert record.inference is not None
    assert answer.best is not None
    assert (record.inference.method, record.inference.reason) == ("weights", answer.best.finding.sentence)
    assert record.inference.score == pytest.approx(1 - 0.05**2, abs=1e-3)
    assert check(known.registry).faults == ()


def test_explaining_writes_nothing(known: Session, tmp_path: Path) -> None:
    before = known.registry.names()
    answer = explain(known, write(tmp_path, "unknown"))
    assert answer.best is not None
    assert known.registry.names() == before
    assert not known.registry.knows(answer.local.model_hash)


def test_adopting_twice_changes_nothing(known: Session, tmp_path: Path) -> None:
    place = write(tmp_path, "unknown")
    for _ in range(2):
        assert keep(known, explain(known, place)) == ()
    assert len(known.registry.steps_of(known.registry.resolve("unknown"))) == 1


def test_a_better_answer_stands_beside_the_first_and_says_so(known: Session, tmp_path: Path) -> None:
    place = write(tmp_path, "unknown")
    _ = keep(known, explain(known, place))
    nearer = tuned(TUNED, 3, 0.0)
    for name in TUNED:
        nearer[name] = ((BASE[name] + 4 * TUNED[name]) / 5).astype(TUNED[name].dtype)
    _ = add_folder(known, make_checkpoint(tmp_path / "nearer", nearer, CONFIG), "zoo:nearer")
    answer = explain(known, place)
    assert answer.best is not None
    remarks = keep(known, answer)
    assert [local.label for _, local in answer.best.inputs] == ["nearer"]
    assert len(remarks) == 1
    assert "inferred before: fine-tune of base" in remarks[0]
    assert len(known.registry.steps_of(known.registry.resolve("unknown"))) == 2


def test_where_the_origin_is_recorded_nothing_is_inferred(known: Session, tmp_path: Path) -> None:

    added = add_folder(known, Path(write(tmp_path, "unknown")), "zoo:unknown")
    step = Step(type="fine-tune", method="full", inputs=(Input("parent", known.registry.resolve("twin")),))
    _ = known.registry.record(StepRecord(step, added.model_hash, Evidence.RECORDED, {}, 1.0, 1.0))
    remarks = keep(known, explain(known, "unknown"))
    assert remarks == ("its origin is recorded: fine-tune of twin; nothing is inferred",)
    assert len(known.registry.steps_of(added.model_hash)) == 1


def test_a_copy_in_other_shards_is_the_model_that_it_is(known: Session, tmp_path: Path) -> None:
    copy = make_checkpoint(tmp_path / "copy", BASE, CONFIG, shards=2)
    answer = explain(known, str(copy))
    assert (answer.same, answer.best) == ("base", None)
    assert keep(known, answer) == ()
    assert copy in known.registry.locations(known.registry.resolve("base"))


def test_what_was_made_from_the_weights_is_never_their_parent(known: Session, tmp_path: Path) -> None:
    _ = add_folder(known, make_checkpoint(tmp_path / "pruned", linear(TUNED, two_of_four), CONFIG), "zoo:pruned")
    answer = explain(known, write(tmp_path, "unknown"))
    relations = {one.label: one.finding.relation.value for one in answer.ranking}
    assert relations == {"base": "parent", "pruned": "child", "twin": "unrelated"}


def test_known_descendants_are_not_asked(known: Session, tmp_path: Path) -> None:
    place = write(tmp_path, "unknown")
    _ = keep(known, explain(known, place))
    answer = explain(known, "base")
    assert "unknown" not in {one.label for one in answer.ranking}


def test_a_model_of_a_folder_of_candidates_is_known_once_it_is_a_parent(known: Session, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    make_checkpoint(hub / "near", tuned(TUNED, 5, 0.01), CONFIG)
    make_checkpoint(hub / "far", trained_like(30, num_hidden_layers=1), CONFIG)
    child = make_checkpoint(tmp_path / "unknown", linear(tuned(TUNED, 5, 0.01), two_of_four), CONFIG)
    answer = explain(known, str(child), [hub])
    _ = keep(known, answer)
    assert str(known.registry.names_of(known.registry.resolve("near"))[0]) == "hub:near"
    assert all(known.registry.label(name.model_hash) != "far" for name in known.registry.names())


def test_a_folder_that_changed_is_left_out_with_a_reason(known: Session, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "twin")
    answer = explain(known, write(tmp_path, "unknown"))
    assert len(answer.remarks) == 1
    assert answer.remarks[0].startswith("not compared: twin ")


def test_a_card_that_names_another_parent_is_contradicted(known: Session, tmp_path: Path) -> None:
    answer = explain(known, write(tmp_path, "unknown", "base_model: zoo/twin"))
    assert answer.remarks == ("README.md names zoo/twin (unrelated), and the weights do not: the weights say base",)


def test_a_card_that_names_the_parent_is_not_contradicted(known: Session, tmp_path: Path) -> None:
    assert explain(known, write(tmp_path, "unknown", "base_model: zoo/base")).remarks == ()


def test_a_broken_card_is_told_and_does_not_stop_the_answer(known: Session, tmp_path: Path) -> None:
    answer = explain(known, write(tmp_path, "unknown", "base_model: [zoo/base"))
    assert answer.best is not None
    assert "its front matter is not YAML" in answer.remarks[0]


def test_adapters_say_nothing_of_their_base(known: Session, tmp_path: Path) -> None:
    pairs = {
        "model.layers.0.mlp.up_proj": (random_tensors(1, {"a": (4, 64)})["a"], random_tensors(2, {"b": (96, 4)})["b"])
    }
    adapter = make_adapter(tmp_path / "adapter", pairs)
    with pytest.raises(AnswerIsNo, match="lineal import reads its config"):
        _ = explain(known, str(adapter))


def test_an_adapter_is_found_in_its_base(known: Session, tmp_path: Path) -> None:

    pairs = {
        name.removesuffix(".weight"): (
            0.1 * random_tensors(1, {"a": (4, x.shape[1])})["a"],
            0.1 * random_tensors(2, {"b": (x.shape[0], 4)})["b"],
        )
        for name, x in BASE.items()
        if "_proj" in name
    }
    adapter = make_adapter(tmp_path / "adapter", pairs)
    added = add_folder(known, adapter, "zoo:adapter")
    step = Step(type="fine-tune", method="lora", inputs=(Input("parent", known.registry.resolve("base")),))
    _ = known.registry.record(StepRecord(step, added.model_hash, Evidence.RECORDED, {}, 1.0, 1.0))
    inputs = [Reference("base", str(tmp_path / "base")), Reference("parent", str(adapter))]
    with Registry.open(tmp_path / "else" / "registry.db") as registry:
        place = tmp_path / "merged"
        elsewhere = Session(registry, threads=1)
        _ = derive(elsewhere, family_of_one("merge", method_from_words("merge", "adapter", []), inputs, place), place)
    (place / "lineal.json").unlink()
    answer = explain(known, str(place))
    assert answer.best is not None
    assert (answer.best.step.type, answer.best.step.method) == ("merge", "adapter")
    assert [(role, local.label) for role, local in answer.best.inputs] == [("base", "base"), ("adapter", "adapter")]
