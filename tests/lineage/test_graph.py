"""The family as a graph: which models, how they are linked, and what is said of each."""

import pytest

from lineal.derivation import DataFile, Step
from lineal.derivation.step import Kind
from lineal.lineage.questions.graph import FamilyGraph, family_graph
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.wording import count, figure, size, summary
from lineal.lineage.registry import Registry
from tests.lineage.families import add_family, digest, hash_of, step

A, B, C = (hash_of(name) for name in "abc")


def labels(graph: FamilyGraph) -> list[str]:
    return [node.label for node in graph.nodes]


def test_a_graph_holds_the_models_asked_for_and_all_their_ancestors(registry: Registry):
    hashes = add_family(registry)
    assert set(labels(family_graph(registry, [hashes["both"]]))) == {"base", "code", "prose", "both"}
    assert set(labels(family_graph(registry, list(hashes.values())))) == set(hashes)
    assert family_graph(registry, []) == FamilyGraph((), ())


def test_parents_come_before_children(registry: Registry):
    hashes = add_family(registry)
    graph = family_graph(registry, [hashes[name] for name in ("q4", "small", "lean")])
    place = {node.model_hash: index for index, node in enumerate(graph.nodes)}
    assert all(place[edge.parent] < place[edge.child] for edge in graph.edges)


@pytest.mark.parametrize(
    ("depth", "shown"), [(0, {"q4"}), (1, {"q4", "both"}), (2, {"q4", "both", "base", "code", "prose"})]
)
def test_depth_counts_generations_back_from_what_was_asked_for(registry: Registry, depth: int, shown: set[str]):
    graph = family_graph(registry, [add_family(registry)["q4"]], depth)
    assert set(labels(graph)) == shown
    assert {edge.parent for edge in graph.edges} <= {node.model_hash for node in graph.nodes}


def test_edges_say_role_method_and_evidence_in_the_order_of_the_inputs(registry: Registry):
    hashes = add_family(registry)
    edges = [edge for edge in family_graph(registry, [hashes["small"]]).edges if edge.child == hashes["small"]]
    assert [(edge.parent, edge.role) for edge in edges] == [
        (hashes["code"], "teacher"),
        (hashes["prose"], "teacher"),
        (hashes["base"], "student"),
    ]
    assert {(edge.made_by, edge.evidence) for edge in edges} == {("logits T=2", Evidence.RECORDED)}


def test_a_node_says_what_made_the_model_how_big_it_is_and_what_it_scores(registry: Registry):
    hashes = add_family(registry)
    code = next(node for node in family_graph(registry, [hashes["code"]]).nodes if node.label == "code")
    assert (code.kind, code.made_by, code.evidence) == ("fine-tune", "lora r=16", Evidence.RECORDED)
    assert (code.model.form, code.model.parameters, code.model.tensor_bytes) == ("adapter", 65_536, 131_072)
    assert code.perplexities == {"code": 31.8, "prose": 97.2}


def test_models_are_linked_by_the_step_recorded_first_and_on_request_by_all(registry: Registry):
    _ = registry.record_all([step(C, A), step(C, B)])
    assert {edge.parent for edge in family_graph(registry, [C]).edges} == {A}
    assert {edge.parent for edge in family_graph(registry, [C], every_step=True).edges} == {A, B}


def test_a_step_that_was_contradicted_comes_after_those_that_were_not(registry: Registry):
    _ = registry.record_all([step(C, A), step(C, B)])
    first, _ = registry.steps_of(C)
    _ = registry.raise_evidence(first, Evidence.CONTRADICTED)
    assert {edge.parent for edge in family_graph(registry, [C]).edges} == {B}
    every = family_graph(registry, [C], every_step=True).nodes[-1].steps
    assert [record.evidence for record in every] == [Evidence.RECORDED, Evidence.CONTRADICTED]


def test_what_merely_reproduces_is_no_edge_and_made_nothing(registry: Registry):
    _ = registry.record_all([step(B, B, B), step(B, A)])
    graph = family_graph(registry, [B])
    assert [(edge.parent, edge.child) for edge in graph.edges] == [(A, B)]
    every = family_graph(registry, [B], every_step=True)
    assert every.edges == graph.edges
    assert [record.reproduces for record in every.nodes[-1].steps] == [False, True]


def test_an_unresolved_parent_is_a_node_without_anything(registry: Registry):
    _ = registry.record(step(B, A))
    unresolved = family_graph(registry, [B]).nodes[0]
    assert (unresolved.label, unresolved.kind, unresolved.made_by) == (f"b3:{A.hex()[:8]}", None, "")
    assert unresolved.model.is_unresolved


@pytest.mark.parametrize(
    ("kind", "method", "options", "said"),
    [
        ("fine-tune", "lora", {"rank": 16, "alpha": 32.0, "epochs": 1}, "lora r=16"),
        ("fine-tune", "full", {"epochs": 3}, "full 3 epochs"),
        ("prune", "wanda", {"sparsity": 0.5}, "wanda 50% sparse"),
        ("quantize", "gguf", {"scheme": "q4_k"}, "q4_k"),
        ("quantize", "q8_0", {}, "q8_0"),
        ("original", "hub", {}, "original"),
    ],
)
def test_a_step_is_summed_up_in_a_few_words(kind: Kind, method: str, options: dict[str, int | float | str], said: str):
    inputs = () if kind == "original" else step(B, A).step.inputs
    assert summary(Step(type=kind, method=method, inputs=inputs, options=options)) == said


def test_an_original_that_was_trained_here_says_so():
    assert summary(Step(type="original", method="train", data=(DataFile("a", digest("a")),))) == "trained from scratch"


def test_figures_are_as_precise_as_people_read_them():
    assert [count(n) for n in (0, 999, 1234, 1_114_240, 7_240_000_000, 999_600_000)] == [
        "0", "999", "1.23 k", "1.11 M", "7.24 B", "1000 M",
    ]  # fmt: skip
    assert [size(n) for n in (12, 131_072, 14_500_000_000)] == ["12 bytes", "131 kB", "14.5 GB"]
    assert [figure(n) for n in (9.876, 35.02, 999.96, 1234.5)] == ["9.88", "35.0", "1,000.0", "1,234"]
