"""Recording steps: new, known, reproducing, irreproducible, or a cycle."""

from dataclasses import replace

import pytest

from lineal.derivation import DataFile, Input, Step
from lineal.errors import LineageCycle
from lineal.lineage.questions import ancestry
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Name, Outcome, Recording, StepRecord
from lineal.lineage.registry import Registry
from tests.lineage.families import digest, hash_of, model, step

A, B, C = (hash_of(name) for name in "abc")


def named(registry: Registry, *names: str) -> None:
    for name in names:
        registry.set_name(Name("demo", name, registry.add_model(model(name))))


def test_a_step_comes_back_as_it_went_in(registry: Registry):
    done = Step(
        type="distillation",
        method="logits",
        version=3,
        inputs=(Input("teacher", B), Input("teacher", A), Input("student", B)),
        options={"temperature": 2.5, "layers": [0, 1], "seed": "18446744073709551615", "hidden": None, "on": True},
        data=(DataFile("b.jsonl", digest("b")), DataFile("a.jsonl", digest("a")), DataFile("b.jsonl", digest("b"))),
    )
    environment = {"lineal": "0.1.0", "threads": 2, "packages": {"torch": "2.13.0"}}
    record = StepRecord(done, C, Evidence.SIGNED, environment, seconds=0.25, created=1.5e9)
    assert registry.record(record) == Recording(Outcome.NEW)
    assert registry.steps_of(C) == (record,)
    assert registry.steps_of(C)[0].step.derivation_id == done.derivation_id


def test_the_same_step_again_is_known_and_changes_nothing(registry: Registry):
    assert registry.record(step(B, A)) == Recording(Outcome.NEW)
    assert registry.record(replace(step(B, A), seconds=99.0)) == Recording(Outcome.KNOWN)
    assert registry.steps_of(B) == (step(B, A),)


def test_a_claimed_step_that_is_run_becomes_a_recorded_one(registry: Registry):
    _ = registry.record(step(B, A, evidence=Evidence.CLAIMED))
    ran = replace(step(B, A), environment={"lineal": "0.2.0"}, seconds=7.0, created=2.0)
    assert registry.record(ran).outcome is Outcome.KNOWN
    assert registry.record(step(B, A, evidence=Evidence.INFERRED)).outcome is Outcome.KNOWN
    assert registry.steps_of(B) == (ran,)


def test_steps_of_a_model_come_first_recorded_first(registry: Registry):
    ways = [step(C, A), step(C, B), step(C, A, B)]
    _ = registry.record_all(ways)
    assert registry.steps_of(C) == tuple(ways)
    assert registry.steps_of(A) == ()


def test_another_child_of_the_same_derivation_is_irreproducible_and_both_are_kept(registry: Registry):
    assert registry.record(step(B, A)) == Recording(Outcome.NEW)
    assert registry.record(step(C, A)) == Recording(Outcome.IRREPRODUCIBLE, (B,))
    assert registry.derived(step(B, A).step.derivation_id) == (B, C)
    assert registry.steps_of(B) == (step(B, A),)
    assert registry.steps_of(C) == (step(C, A),)
    assert registry.record(step(B, A)) == Recording(Outcome.KNOWN, (C,))


def test_originals_that_were_merely_brought_are_no_computation(registry: Registry):
    assert registry.record(step(A)).outcome is Outcome.NEW
    assert registry.record(step(B)).outcome is Outcome.NEW
    trained = Step(type="original", method="train", data=(DataFile("all.txt", digest("all")),))
    assert registry.record(replace(step(A), step=trained)).outcome is Outcome.NEW
    assert registry.record(replace(step(B), step=trained)) == Recording(Outcome.IRREPRODUCIBLE, (A,))


def test_a_derivation_that_nobody_did_has_no_children(registry: Registry):
    assert registry.derived(digest("nothing")) == ()


def test_a_merge_of_equal_models_reproduces_its_input_and_is_no_edge(registry: Registry):
    assert registry.record(step(A, A, A)) == Recording(Outcome.REPRODUCES)
    assert registry.steps_of(A)[0].reproduces
    assert (ancestry.parents(registry, A), ancestry.children(registry, A)) == ((), ())


def test_there_and_back_reproduces_the_ancestor_and_is_no_edge(registry: Registry):
    assert [r.outcome for r in registry.record_all([step(B, A), step(C, B)])] == [Outcome.NEW, Outcome.NEW]
    assert registry.record(step(A, C)).outcome is Outcome.REPRODUCES
    assert ancestry.ancestors(registry, A) == ()
    assert ancestry.descendants(registry, A) == (B, C)


def test_what_is_said_to_reproduce_is_no_edge_even_before_its_ancestors_are_known(registry: Registry):
    for evidence in (Evidence.CLAIMED, Evidence.RECORDED):
        told = replace(step(A, B, evidence=evidence, seen=evidence.value), reproduces=True)
        assert registry.record(told).outcome is Outcome.REPRODUCES
    assert registry.record(step(B, A)).outcome is Outcome.NEW
    assert ancestry.ancestors(registry, B) == (A,)


@pytest.mark.parametrize("evidence", [Evidence.CLAIMED, Evidence.INFERRED])
def test_a_mere_claim_that_would_close_a_cycle_is_refused_and_named(registry: Registry, evidence: Evidence):
    named(registry, "a", "b", "c")
    _ = registry.record_all([step(B, A), step(C, B)])
    with pytest.raises(LineageCycle, match=r"^lineage cycle: a -> b -> a$"):
        _ = registry.record(step(A, B, evidence=evidence))
    with pytest.raises(LineageCycle, match=r"^lineage cycle: a -> b -> c -> a$"):
        _ = registry.record(step(A, C, evidence=evidence))
    with pytest.raises(LineageCycle, match=r"^lineage cycle: a -> a$"):
        _ = registry.record(step(A, A, evidence=evidence))
    assert registry.steps_of(A) == ()


def test_a_cycle_of_models_without_names_is_named_by_short_hashes(registry: Registry):
    _ = registry.record(step(B, A))
    a, b = (f"b3:{model_hash.hex()[:8]}" for model_hash in (A, B))
    with pytest.raises(LineageCycle, match=f"^lineage cycle: {a} -> {b} -> {a}$"):
        _ = registry.record(step(A, B, evidence=Evidence.CLAIMED))


def test_a_cycle_within_one_call_is_refused_and_nothing_of_the_call_is_kept(registry: Registry):
    chain = [step(B, A, evidence=Evidence.CLAIMED), step(C, B, evidence=Evidence.CLAIMED)]
    with pytest.raises(LineageCycle):
        _ = registry.record_all([*chain, step(A, C, evidence=Evidence.CLAIMED)])
    assert not registry.knows(A)


def test_a_reproduction_in_the_same_call_as_its_past_is_found(registry: Registry):
    outcomes = [r.outcome for r in registry.record_all([step(B, A), step(A, B), step(C, B, rank=2), step(B, C)])]
    assert outcomes == [Outcome.NEW, Outcome.REPRODUCES, Outcome.NEW, Outcome.REPRODUCES]


def test_a_diamond_is_no_cycle(registry: Registry):
    d = digest("d")
    outcomes = {r.outcome for r in registry.record_all([step(B, A), step(C, A, rank=2), step(d, B, C)])}
    assert outcomes == {Outcome.NEW}
    assert ancestry.parents(registry, d) == (B, C)
