"""The effective licence of a model: joined over all it goes back to, with the way to each contributor."""

import pytest

from lineal.checkpoint.licence.stated import StatedLicence
from lineal.derivation.hashes import format_hash
from lineal.errors import LicenceConflict, UsageError
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.licensing.effective import judgement
from lineal.lineage.licensing.graph import refuse_conflicts
from lineal.lineage.questions.why import why
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.databases import Database
from tests.lineage.families import add_family, digest, hash_of, model, step


def ways(registry: Registry, asked: bytes) -> dict[str, str]:
    return {" <- ".join(one.path): one.licence for one in judgement(registry, asked).contributions}


def test_every_ancestor_and_its_data_contribute_by_the_shortest_way(registry: Registry) -> None:
    hashes = add_family(registry)
    licence_records.state(registry, hashes["base"], "apache-2.0")
    licence_records.state_data(registry, digest("all.txt"), "mit")
    licence_records.state_data(registry, digest("code.jsonl"), "gpl-3.0")
    licence_records.state_data(registry, digest("prose.jsonl"), "cc-by-sa-4.0")
    assert ways(registry, hashes["q4"]) == {
        "q4 <- both <- base": "apache-2.0",
        "q4 <- both <- base <- all.txt": "mit",
        "q4 <- both <- code <- code.jsonl": "gpl-3.0",
        "q4 <- both <- prose <- prose.jsonl": "cc-by-sa-4.0",
    }
    assert judgement(registry, hashes["q4"]).joined == "gpl-3.0"
    assert judgement(registry, hashes["base"]).joined == "apache-2.0 AND mit"


def test_what_nobody_has_said_is_unknown_and_never_permissive(registry: Registry) -> None:
    hashes = add_family(registry)
    judged = judgement(registry, hashes["code"])
    assert [" <- ".join(one.path) for one in judged.unknown] == ["code <- code.jsonl", "code <- base <- all.txt"]
    assert judged.joined == "unknown"
    _ = registry.record(step(digest("child"), digest("stranger")))
    assert [one.licence for one in judgement(registry, digest("child")).contributions] == ["unknown"]


def test_a_conflict_names_both_ways(registry: Registry) -> None:
    hashes = add_family(registry)
    licence_records.state(registry, hashes["prose"], "llama3.1")
    licence_records.state_data(registry, digest("code.jsonl"), "gpl-3.0")
    with pytest.raises(LicenceConflict) as refused:
        refuse_conflicts([judgement(registry, hashes["lean"]), judgement(registry, hashes["q4"])])
    assert str(refused.value) == (
        "lean: licence conflict: lean <- code.jsonl is gpl-3.0 (share-alike), "
        "lean <- both <- prose is llama3.1 (field-of-use terms): "
        "gpl-3.0 is share-alike and allows no further restrictions, such as llama3.1 (field-of-use terms); "
        "where their owners agreed to it, record an override with that reason"
    )
    assert judgement(registry, hashes["code"]).conflicts == ()


def test_no_derivatives_conflicts_with_any_derivation_and_not_with_the_model_itself(registry: Registry) -> None:
    hashes = add_family(registry)
    licence_records.state(registry, hashes["base"], "cc-by-nd-4.0")
    assert judgement(registry, hashes["base"]).conflicts == ()
    (conflict,) = judgement(registry, hashes["code"]).conflicts
    assert str(conflict) == (
        "code: licence conflict: code <- base is cc-by-nd-4.0 (no derivatives): it allows no derivatives"
    )


def test_an_override_holds_for_the_model_and_what_is_made_from_it_and_is_kept_with_its_reason(
    registry: Registry,
) -> None:
    hashes = add_family(registry)
    licence_records.state(registry, hashes["base"], "cc-by-nd-4.0")
    licence_records.override(registry, hashes["both"], "apache-2.0", "bought on 2026-03-01")
    assert judgement(registry, hashes["both"]).joined == "apache-2.0"
    assert ways(registry, hashes["q4"]) == {"q4 <- both": "apache-2.0"}
    assert judgement(registry, hashes["code"]).conflicts != ()
    last = why(registry, hashes["both"])[-1].sentence
    assert last.endswith("Its licence was overridden: apache-2.0, because bought on 2026-03-01.")
    entry = registry.journal(limit=1)[0].change
    assert entry == {
        "change": "licence", "name": None, "model": format_hash(hashes["both"]), "basis": "override",
        "licence": "apache-2.0", "because": "bought on 2026-03-01",
    }  # fmt: skip
    assert licence_records.withdraw(registry, hashes["both"]) == 1
    assert licence_records.withdraw(registry, hashes["both"]) == 0
    assert judgement(registry, hashes["both"]).conflicts != ()
    assert check(registry).faults == ()


def test_what_lies_beside_a_model_is_found_and_only_overridden(registry: Registry) -> None:
    plain = model("plain")
    registry.add_model(ModelRecord(plain.manifest, stated=StatedLicence("Llama3.1", "its card")))
    plain_hash = hash_of("plain")
    registry.add_model(plain)  # from another place, where nothing is said
    assert ways(registry, plain_hash) == {f"b3:{plain_hash.hex()[:8]}": "llama3.1"}
    licence_records.state(registry, plain_hash, "llama3.1")
    with pytest.raises(UsageError, match=r"its card says llama3\.1, not mit: an override, with its reason, is needed"):
        licence_records.state(registry, plain_hash, "mit")
    licence_records.override(registry, plain_hash, "mit", "a letter")
    assert judgement(registry, plain_hash).joined == "mit"
    assert check(registry).faults == ()


def test_a_card_that_names_no_licence_leaves_it_to_be_stated(registry: Registry) -> None:
    registry.add_model(ModelRecord(model("vague").manifest, stated=StatedLicence("unknown", "its card")))
    assert judgement(registry, hash_of("vague")).joined == "unknown"
    licence_records.state(registry, hash_of("vague"), "mit")
    assert judgement(registry, hash_of("vague")).joined == "mit"


def test_saying_the_same_again_changes_nothing(registry: Registry) -> None:
    hashes = add_family(registry)
    for _ in range(2):
        licence_records.override(registry, hashes["both"], "mit", "x")
        licence_records.state_data(registry, digest("code.jsonl"), "mit")
    assert len(registry.journal()) == 7 + 2


@pytest.mark.parametrize(
    ("meddling", "said"),
    [
        (
            "UPDATE model_licence SET licence = 'mit'",
            "the journal says that its licence is gpl-3.0 (override), the regis",
        ),
        ("DELETE FROM model_licence", "the registry nothing"),
        ("UPDATE data_licence SET licence = 'mit'", "the journal says that its licence is cc-by-4.0 (given)"),
        (
            "INSERT INTO model_licence SELECT min(id), 'given', 'mit', '' FROM model",
            "the journal says that its licence is nothing",
        ),
    ],
)
def test_what_was_stated_behind_the_journal_s_back_is_found(
    registry: Registry, database: Database, place: str, meddling: str, said: str
) -> None:
    hashes = add_family(registry)
    licence_records.override(registry, hashes["both"], "gpl-3.0", "because")
    licence_records.state_data(registry, digest("code.jsonl"), "cc-by-4.0")
    assert check(registry).faults == ()
    database.run(place, database.unchecked, meddling)
    assert any(said in fault for fault in check(registry).faults), check(registry).faults


def test_a_reason_and_a_known_model_are_needed(registry: Registry) -> None:
    hashes = add_family(registry)
    with pytest.raises(UsageError, match="an override of a licence needs a reason"):
        licence_records.override(registry, hashes["both"], "mit", " ")
    with pytest.raises(UsageError, match="the registry knows no model"):
        licence_records.state(registry, digest("nobody"), "mit")
    with pytest.raises(UsageError, match="is not a licence"):
        licence_records.state_data(registry, digest("code.jsonl"), "unknown")
