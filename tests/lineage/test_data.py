"""Data files as what models were made on: found by content, and tainted with all that came of them."""

from pathlib import Path

import pytest

from lineal.derivation import DataFile, Step
from lineal.errors import AnswerIsNo, UsageError
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import StepRecord
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from lineal.lineage.stated import data_taints
from lineal.lineage.stated.promotion import promote
from lineal.lineage.tables import data_files
from tests.databases import Database
from tests.lineage.families import add_family, digest


def tainted(registry: Registry, hashes: dict[str, bytes]) -> set[str]:
    return {name for name, model in hashes.items() if registry.taints_of(model)}


def test_a_file_reaches_what_was_made_on_it_and_from_that(registry: Registry) -> None:
    hashes = add_family(registry)
    with registry.reading() as connection:
        made = data_files.made_on(connection, digest("prose.jsonl"))
        reached = data_files.reached(connection, digest("prose.jsonl"))
        assert made == reached[:1] == [hashes["prose"]]
        assert set(reached) == {hashes[name] for name in ("prose", "both", "small", "lean", "q4")}
        assert data_files.made_on(connection, digest("code.jsonl")) == [hashes[n] for n in ("code", "small", "lean")]
        assert len(data_files.reached(connection, digest("all.txt"))) == 7
        assert len(data_files.reached(connection, digest("all.txt"), 3)) == 3
        assert data_files.reached(connection, digest("nothing")) == []
        assert data_files.scored_on(connection, digest("code")) == [
            hashes[n] for n in ("base", "code", "prose", "both")
        ]


def test_a_taint_of_data_reaches_every_model_made_on_it_now_and_later(registry: Registry) -> None:
    hashes = add_family(registry)
    assert data_taints.add(registry, digest("prose.jsonl"), "leaked tests", "issue-7") == 5
    assert tainted(registry, hashes) == {"prose", "both", "small", "lean", "q4"}
    (taint,) = registry.taints_of(hashes["q4"])
    assert (taint.model, taint.data, taint.reason) == (hashes["prose"], "prose.jsonl", "leaked tests")
    later = Step(type="original", method="train", data=(DataFile("copy.txt", digest("prose.jsonl")),))
    registry.record(StepRecord(later, digest("later"), Evidence.RECORDED, {}, 0.0, 0.0))
    assert [one.data for one in registry.taints_of(digest("later"))] == ["copy.txt"]
    with registry.reading() as connection:
        assert [(one.name, one.reached) for one in data_taints.standing(connection)] == [("prose.jsonl", 6)]
    assert data_taints.clear(registry, digest("prose.jsonl"), "it was not") == 1
    assert data_taints.clear(registry, digest("prose.jsonl"), "it was not") == 0
    assert tainted(registry, hashes) == set()
    assert check(registry).faults == ()


def test_a_file_can_be_tainted_before_anything_is_made_on_it(registry: Registry) -> None:
    assert data_taints.add(registry, digest("test.jsonl"), "the test set", "") == 0
    later = Step(type="original", method="train", data=(DataFile("innocent.txt", digest("test.jsonl")),))
    registry.record(StepRecord(later, digest("later"), Evidence.RECORDED, {}, 0.0, 0.0))
    assert len(registry.taints_of(digest("later"))) == 1


def test_what_was_made_on_tainted_data_is_not_promoted(registry: Registry) -> None:
    add_family(registry)
    registry.add_version("both", SemanticVersion.parse("1.0.0"))
    data_taints.add(registry, digest("prose.jsonl"), "leaked", "")
    with pytest.raises(
        AnswerIsNo, match=r"by prose\.jsonl, which prose was made on \(leaked\): lineal clear --data prose"
    ):
        promote(registry, "both@1.0.0", Stage.STAGING)


def test_a_data_file_is_named_by_path_hash_and_name(registry: Registry, tmp_path: Path) -> None:
    add_family(registry)
    file = tmp_path / "mine.txt"
    file.write_text("all.txt")  # whose digest is that of the name in the family
    written = f"b3:{digest('all.txt').hex()}"
    with registry.reading() as connection:
        for reference in ("all.txt", written, written[:11], str(file)):
            assert data_files.resolve(connection, reference) == DataFile("all.txt", digest("all.txt"))
        for wrong in ("al.txt", "b3:", "b3:00", written[:10], "b3:" + "z" * 64, "", str(tmp_path)):
            with pytest.raises(UsageError):
                data_files.resolve(connection, wrong)


def test_one_name_of_two_contents_is_listed(registry: Registry) -> None:
    for child, content in (("one", "x"), ("two", "y")):
        made = Step(type="original", method="train", data=(DataFile("train.txt", digest(content)),))
        registry.record(StepRecord(made, digest(child), Evidence.RECORDED, {}, 0.0, 0.0))
    with registry.reading() as connection, pytest.raises(UsageError, match=r"'train\.txt' can mean 2 data files: b3:"):
        data_files.resolve(connection, "train.txt")


def test_taints_of_data_behind_the_journal_s_back_are_found(registry: Registry, database: Database, place: str) -> None:
    add_family(registry)
    data_taints.add(registry, digest("prose.jsonl"), "leaked", "")
    database.run(place, "DELETE FROM data_taint")
    fault, sealed = check(registry).faults
    assert sealed == "data_taint: 1 of its rows is gone"
    assert fault.endswith("the journal says 1 standing taints, the registry 0")
    with pytest.raises(UsageError, match="needs a reason"):
        data_taints.add(registry, digest("prose.jsonl"), " ", "")
    with pytest.raises(UsageError, match="needs a reason"):
        data_taints.clear(registry, digest("prose.jsonl"), "")
