"""What files claim becomes claimed steps; parents that nobody brought are unresolved until somebody does."""

from pathlib import Path

import pytest
from blake3 import blake3

from lineal.derivation.hashes import format_hash
from lineal.errors import AnswerIsNo, LineageCycle, RecipeError
from lineal.family.origin.add import add_folder
from lineal.family.origin.claims.importing import Imported, import_place
from lineal.family.session import Session
from lineal.lineage.questions.ancestry import roots
from lineal.lineage.questions.why import why
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.soundness.check import check
from tests.builders import CONFIG, make_adapter, make_checkpoint, random_tensors
from tests.reference.quantized import FORMS

SHAPES = {"model.embed_tokens.weight": (12, 8), "model.norm.weight": (8,)}


def model(folder: Path, seed: int, card: str | None = None) -> Path:
    place = make_checkpoint(folder, random_tensors(seed, SHAPES))
    if card is not None:
        (place / "README.md").write_text(f"---\n{card}\n---\n# A model\n", encoding="utf-8")
    return place


def placeholder(reference: str) -> bytes:
    return blake3(b"lineal.unresolved.1" + reference.encode()).digest()


def said(one: Imported) -> tuple[str, str, list[tuple[str, bool]]]:
    return one.claim.kind, one.claim.method, [(parent.reference, parent.resolved) for parent in one.parents]


def test_a_parent_that_nobody_brought_is_unresolved_under_its_name(session: Session, tmp_path: Path) -> None:
    one = import_place(session, model(tmp_path / "hub" / "child", 1, "base_model: org/big-model"))
    assert said(one) == ("fine-tune", "claimed", [("org/big-model", False)])
    (record,) = session.registry.steps_of(one.model)
    assert record.evidence is Evidence.CLAIMED
    assert [used.model_hash for used in record.step.inputs] == [placeholder("org/big-model")]
    assert session.registry.resolve("org:big-model") == placeholder("org/big-model")
    assert session.registry.model(placeholder("org/big-model")).is_unresolved
    told = [reason.sentence for reason in why(session.registry, one.model)]
    assert told == [
        "big-model was never added here; others were made from it.",
        "child was fine-tuned from big-model (claimed). That is claimed, and not known.",
    ]


def test_importing_again_resolves_a_parent_that_was_added(session: Session, tmp_path: Path) -> None:
    child = model(tmp_path / "hub" / "child", 1, "base_model: org/big")
    _ = import_place(session, child)
    parent = add_folder(session, model(tmp_path / "here", 2), "org:big")
    one = import_place(session, child)
    assert (said(one)[2], one.replaced) == ([("org/big", True)], 1)
    (record,) = session.registry.steps_of(one.model)
    assert [used.model_hash for used in record.step.inputs] == [parent.model_hash]
    assert roots(session.registry) == (parent.model_hash,)
    assert not session.registry.knows(placeholder("org/big"))
    assert check(session.registry).faults == ()


def test_a_placeholder_that_others_still_need_stays(session: Session, tmp_path: Path) -> None:
    children = [model(tmp_path / "hub" / name, seed, "base_model: org/big") for seed, name in enumerate("ab")]
    for child in children:
        _ = import_place(session, child)
    _ = add_folder(session, model(tmp_path / "here", 7), "org:big")
    _ = import_place(session, children[0])
    assert session.registry.knows(placeholder("org/big"))
    _ = import_place(session, children[1])
    assert not session.registry.knows(placeholder("org/big"))


def test_importing_twice_changes_nothing(session: Session, tmp_path: Path) -> None:
    child = model(tmp_path / "hub" / "child", 1, "base_model: org/big")
    first = import_place(session, child)
    second = import_place(session, child)
    assert (first.model, second.replaced, len(session.registry.steps_of(first.model))) == (second.model, 0, 1)


def test_an_adapters_config_names_its_base_by_a_relative_path(session: Session, tmp_path: Path) -> None:
    base = add_folder(session, model(tmp_path / "base", 1))
    pairs = {"model.norm": (random_tensors(2, {"a": (2, 8)})["a"], random_tensors(3, {"b": (8, 2)})["b"])}
    adapter = make_adapter(tmp_path / "adapter", pairs, base_model_name_or_path="base")
    (adapter / "README.md").write_text("---\nlicense: mit\ndatasets: [org/texts]\n---\n")
    one = import_place(session, adapter)
    assert said(one) == ("fine-tune", "lora", [("base", True)])
    assert one.parents[0].model == base.model_hash
    assert one.claim.options == {"rank": 2, "datasets": ["org/texts"], "license": "mit"}


RECIPE = """
merge_method: ties
base_model: org/base
models:
  - {model: org/one, parameters: {density: 0.5, weight: 0.4}}
  - {model: org/two, parameters: {density: 0.5, weight: 0.6}}
dtype: bfloat16
"""


def test_a_recipe_of_mergekits_is_read_with_method_and_roles(session: Session, tmp_path: Path) -> None:
    place = model(tmp_path / "hub" / "merged", 1, "base_model: [org/base, org/other]")
    (place / "mergekit_config.yml").write_text(RECIPE)
    one = import_place(session, place)
    assert one.claim.kind == "merge"
    assert dict(one.claim.inputs) == {"base": "org/base", "parent": "org/two"}
    assert [reference for _, reference in one.claim.inputs] == ["org/base", "org/one", "org/two"]
    assert one.remarks == ("README.md names org/base, org/other; mergekit_config.yml is believed",)


def test_a_broken_recipe_is_refused_with_its_line(session: Session, tmp_path: Path) -> None:
    place = model(tmp_path / "hub" / "merged", 1)
    (place / "mergekit_config.yml").write_text("merge_method: magic\nmodels: []\n")
    with pytest.raises(RecipeError, match=r"mergekit_config.yml:1: .*magic"):
        _ = import_place(session, place)


@pytest.mark.parametrize(
    ("card", "kind", "method"),
    [
        ("base_model: [o/a, o/b]", "merge", "claimed"),
        ("base_model: o/a\nbase_model_relation: merge", "merge", "slices"),
        ("base_model: o/a\nbase_model_relation: quantized", "quantize", "claimed"),
        ("base_model: o/a\nbase_model_relation: finetune", "fine-tune", "claimed"),
        ("base_model: o/a\nbase_model_relation: adapter", "fine-tune", "claimed"),
    ],
)
def test_a_cards_relation_is_the_kind_of_the_step(
    session: Session, tmp_path: Path, card: str, kind: str, method: str
) -> None:
    assert said(import_place(session, model(tmp_path / "hub" / "child", 1, card)))[:2] == (kind, method)


@pytest.mark.parametrize(
    ("form", "scheme"),
    [
        ("w4a16", "int4"),
        ("w3a16 with zeros", "int3"),
        ("w8a8", "int8"),
        ("fp8 of rows", "fp8"),
        ("nvfp4", "nvfp4"),
        ("mxfp4", "mxfp4"),
        ("weight_scale_inv", "fp8"),
    ],
)
def test_what_a_card_calls_quantized_is_of_the_scheme_that_its_config_says(
    session: Session, tmp_path: Path, form: str, scheme: str
) -> None:
    place = model(tmp_path / "hub" / "child", 1, "base_model: o/a\nbase_model_relation: quantized")
    found = FORMS[form].store(random_tensors(1, {"a": (8, 96)})["a"])
    tensors = {f"model.layers.0.mlp.up_proj.{name}": tensor for name, tensor in found.tensors.items()}
    make_checkpoint(place, tensors, {**CONFIG, "quantization_config": FORMS[form].settings})
    claim = import_place(session, place).claim
    assert claim.options == {"scheme": scheme}


def test_a_claim_that_would_close_a_cycle_is_refused_with_names(session: Session, tmp_path: Path) -> None:
    first = model(tmp_path / "hub" / "first", 1, "base_model: hub/second")
    second = model(tmp_path / "hub" / "second", 2, "base_model: hub/first")
    for place in (first, second):
        _ = add_folder(session, place)
    _ = import_place(session, first)
    with pytest.raises(LineageCycle, match="second -> first -> second"):
        _ = import_place(session, second)


def test_files_that_claim_nothing_are_no_answer(session: Session, tmp_path: Path) -> None:
    with pytest.raises(AnswerIsNo, match="names a parent"):
        _ = import_place(session, model(tmp_path / "hub" / "child", 1, "license: mit"))


@pytest.mark.parametrize("reference", ["../../etc/passwd", "org/na\x07me", "/home/x/model", "a/../b", "-"])
def test_strange_names_are_kept_as_what_they_are_under_a_plain_one(
    session: Session, tmp_path: Path, reference: str
) -> None:
    card = f'base_model: "{reference}"'.replace("\x07", "\\a")
    one = import_place(session, model(tmp_path / "hub" / "child", 1, card))
    assert one.parents[0].model == placeholder(reference)
    named = session.registry.names_of(placeholder(reference))
    assert session.registry.resolve(str(named[0])) == placeholder(reference)
    assert format_hash(one.model) != format_hash(one.parents[0].model)
