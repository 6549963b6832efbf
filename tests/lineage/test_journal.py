"""The journal of names: complete, in order, and broken by any change to what it says."""

import pytest

from lineal.derivation.hashes import format_hash
from lineal.lineage.records.records import Name
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import Stage
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from lineal.lineage.stated.promotion import promote
from lineal.lineage.tables import journal
from tests.databases import BEFORE_SEALS, Database
from tests.lineage.families import add_family, model

V1 = SemanticVersion.parse("1.0.0")


def name(registry: Registry, called: str, content: str) -> str:
    """Give a model a name; its hash as it is written."""
    digest = registry.add_model(model(content))
    registry.set_name(Name("demo", called, digest))
    return format_hash(digest)


def test_every_change_of_a_name_and_a_version_is_there_the_latest_first(registry: Registry) -> None:
    one = name(registry, "a", "one")
    name(registry, "a", "one")  # which changes nothing
    two = name(registry, "a", "two")
    registry.add_version("demo:a", V1, tags=("good",), metrics={"mmlu": 0.5})
    promote(registry, "demo:a@1.0.0", Stage.STAGING)
    other = name(registry, "b", "three")
    changes = [dict(entry.change) for entry in registry.journal()]
    version = {"change": "version", "name": "demo:a@1.0.0", "model": two, "tags": ["good"], "quality_score": None}
    assert changes == [
        {"change": "name", "name": "demo:b", "model": other, "before": None},
        {**version, "stage": "staging", "metrics": {"mmlu": 0.5}},
        {**version, "stage": "development", "metrics": {"mmlu": 0.5}},
        {"change": "name", "name": "demo:a", "model": two, "before": one},
        {"change": "name", "name": "demo:a", "model": one, "before": None},
    ]
    assert [entry.number for entry in registry.journal()] == [5, 4, 3, 2, 1]
    assert [entry.number for entry in registry.journal("a")] == [4, 3, 2, 1]
    assert [entry.number for entry in registry.journal("b", limit=1)] == [5]


def test_a_registry_that_was_left_alone_holds_together(registry: Registry) -> None:
    add_family(registry)
    registry.add_version("both", V1)
    found = check(registry)
    assert found.faults == ()
    assert (found.models, found.steps, found.entries) == (7, 7, 8)


@pytest.mark.parametrize(
    ("meddling", "said"),
    [
        ("UPDATE journal SET content = replace(content, 'demo:both', 'demo:mine') WHERE id = 4", "entry 4 does not"),
        (
            "UPDATE journal SET entry_hash = (SELECT model_hash FROM model WHERE id = 1) WHERE id = 2",
            "entry 2 does not follow",
        ),
        ("DELETE FROM journal WHERE id = 3", "entry 3 is missing"),
        ("UPDATE name SET model_id = 1 WHERE name = 'both'", "demo:both: the journal says b3:"),
        ("DELETE FROM version_tag; DELETE FROM version", "demo:both@1.0.0: the journal says b3:"),
        ("DELETE FROM version_tag", "in development, tagged good, the registry b3:"),
        ("UPDATE version SET stage = 'production'", "demo:both@1.0.0: the journal says b3:"),
        (
            "UPDATE tensor SET data_hash = (SELECT model_hash FROM model WHERE id = 1) WHERE id = 1",
            "do not give its hash: it is damaged",
        ),
        ("UPDATE step SET options = '{\"density\":0.3}' WHERE method = 'ties'", "does not give its derivation id"),
        ("DELETE FROM journal WHERE id = 8", "journal: entries 8 to 8 are missing"),
        ("UPDATE step SET evidence = 'replayed', share = 1.0 WHERE type = 'fine-tune'", "is not as it was written"),
        ("DELETE FROM evaluation WHERE perplexity > 90", "evaluation: 2 of its rows are gone"),
        ("INSERT INTO name (family, name, model_id) VALUES ('demo', 'mine', 1)", "name: demo mine b3:"),
        ("UPDATE model SET parameters = 1 WHERE id = 1", "its parameters do not follow from its tensors"),
        ("UPDATE step_input SET child_id = NULL", "an edge does not lead from its input to its child"),
        ("DELETE FROM environment", "refers to something that environment does not hold"),
    ],
)
def test_what_was_changed_behind_its_back_is_named(
    database: Database, place: str, registry: Registry, meddling: str, said: str
) -> None:
    add_family(registry)
    registry.add_version("both", V1, tags=("good",))
    database.run(place, database.unchecked, *meddling.split("; "))
    faults = check(registry).faults
    assert any(said in fault for fault in faults), faults


def test_a_change_that_fails_leaves_no_gap_in_the_journal(registry: Registry) -> None:
    _ = add_family(registry)
    with pytest.raises(RuntimeError), registry._store.writing() as connection:
        journal.append(connection, {"change": "name", "name": "demo:gone"})
        raise RuntimeError
    name(registry, "both", "newer")
    assert [entry.number for entry in registry.journal(limit=2)] == [8, 7]
    assert check(registry).faults == ()


def test_a_journal_begins_where_an_older_registry_ends(database: Database, place: str, registry: Registry) -> None:
    add_family(registry)
    database.run(place, "DELETE FROM journal", *BEFORE_SEALS)
    with Registry.open_existing(place) as older:
        assert check(older).faults == ()
        name(older, "both", "newer")
        assert [entry.change["name"] for entry in older.journal()] == ["demo:both"]
        assert check(older).faults == ()
