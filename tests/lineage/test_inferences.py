"""What stands behind an inferred step is kept with it, and goes where it goes."""

from dataclasses import replace

import pytest

from lineal.errors import UsageError
from lineal.lineage.questions.graph import family_graph
from lineal.lineage.questions.why import why
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Inference, Outcome
from lineal.lineage.registry import Registry
from lineal.lineage.shown.as_json import graph_as_json
from tests.lineage.families import digest, hash_of, model, step

FOUND = Inference("weights", 0.99, 1e-12, "the matrices differ by 0.05 of its norm")


@pytest.fixture
def child(registry: Registry) -> bytes:
    return registry.add_model(model("child"))


def test_score_chance_and_reason_are_read_back_with_the_step(registry: Registry, child: bytes) -> None:
    record = replace(step(child, digest("base"), evidence=Evidence.INFERRED), inference=FOUND)
    _ = registry.record(record)
    assert registry.steps_of(child) == (record,)
    (told,) = [node for node in family_graph(registry, [child]).nodes if node.model_hash == child]
    assert told.steps[0].inference == FOUND
    assert FOUND.reason in str(graph_as_json(family_graph(registry, [child])))
    assert why(registry, child)[-1].sentence.endswith(
        "That is inferred from the weights: the matrices differ by 0.05 of its norm."
    )


def test_a_claim_that_is_inferred_as_well_is_the_better_attested_step(registry: Registry, child: bytes) -> None:
    claimed = step(child, digest("base"), evidence=Evidence.CLAIMED)
    _ = registry.record(claimed)
    again = registry.record(replace(claimed, evidence=Evidence.INFERRED, inference=FOUND))
    assert again.outcome is Outcome.KNOWN
    (record,) = registry.steps_of(child)
    assert (record.evidence, record.inference) == (Evidence.INFERRED, FOUND)


def test_inferring_again_replaces_the_figures(registry: Registry, child: bytes) -> None:
    record = replace(step(child, digest("base"), evidence=Evidence.INFERRED), inference=FOUND)
    better = Inference("weights", 0.995, 1e-20, "nearer than it seemed")
    _ = registry.record_all([record, replace(record, inference=better)])
    assert registry.steps_of(child)[0].inference == better


def test_other_steps_have_nothing_behind_them(registry: Registry, child: bytes) -> None:
    _ = registry.record(step(child, digest("base")))
    assert registry.steps_of(child)[0].inference is None
    assert hash_of("child") == child


@pytest.mark.parametrize(("score", "p_value"), [(1.1, 0.5), (-0.1, 0.5), (0.5, 2.0), (0.5, float("nan"))])
def test_scores_and_chances_are_shares(score: float, p_value: float) -> None:
    with pytest.raises(UsageError, match="must be in"):
        _ = Inference("weights", score, p_value, "")
