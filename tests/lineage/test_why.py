"""The chain of steps that led to a model, as sentences."""

from lineal.lineage.questions.why import why
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.registry import Registry
from tests.lineage.families import add_family, digest, step


def sentences(registry: Registry, model: bytes) -> list[str]:
    return [reason.sentence for reason in why(registry, model)]


def test_every_kind_of_step_has_its_sentence_roots_first(registry: Registry) -> None:
    hashes = add_family(registry)
    assert sentences(registry, hashes["lean"]) == [
        "base was trained from scratch on all.txt.",
        "code was fine-tuned from base on code.jsonl (lora r=16).",
        "prose was fine-tuned from base on prose.jsonl (lora r=16, 2 epochs).",
        "both was merged from code and prose with base as the base (ties density 0.2).",
        "lean was pruned from both on code.jsonl (wanda 50% sparse).",
    ]
    assert sentences(registry, hashes["small"])[-1] == (
        "small was distilled from code and prose into base on code.jsonl (logits T=2)."
    )
    assert sentences(registry, hashes["q4"])[-1] == "q4 was quantized from both (q4_k)."


def test_how_well_a_step_is_attested_is_said_where_it_matters(registry: Registry) -> None:
    grades = {
        Evidence.CLAIMED: "That is claimed, and not known.",
        Evidence.INFERRED: "That is inferred from the weights.",
        Evidence.RECORDED: "(linear).",
        Evidence.CONTRADICTED: "Recomputing it gave other bytes.",
    }
    for grade, ending in grades.items():
        _ = registry.record(step(digest(grade.value), digest("parent"), evidence=grade))
        assert sentences(registry, digest(grade.value))[-1].endswith(ending)
    replayed = step(digest("again"), digest("parent"))
    _ = registry.record(replayed)
    _ = registry.raise_evidence(replayed, Evidence.REPLAYED, 0.25)
    assert sentences(registry, digest("again"))[-1].endswith("Recomputing it, 25% of it, gave the same bytes.")
    _ = registry.raise_evidence(replayed, Evidence.REPLAYED, 1.0)
    assert sentences(registry, digest("again"))[-1].endswith("Recomputing it gave the same bytes.")


def test_what_nobody_knows_is_said_to_be_unknown(registry: Registry) -> None:
    _ = registry.record(step(digest("child"), digest("gone")))
    (gone, child) = sentences(registry, digest("child"))
    assert gone.endswith("was never added here; others were made from it.")
    assert "was fine-tuned from" in child
    hashes = add_family(registry)
    assert sentences(registry, hashes["base"]) == ["base was trained from scratch on all.txt."]
