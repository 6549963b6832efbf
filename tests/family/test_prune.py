"""Pruned models of a family: planned, built, recorded, recomputed, and opened by transformers."""

import json
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.derivation import Prune, Step, derivation_from_json
from lineal.errors import CheckpointError, MethodError, RecipeError
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.file.recipe import Reference
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import read_provenance
from lineal.methods.prune.magnitude import MagnitudePruning
from tests.builders import make_adapter, make_checkpoint, read_folder, same_bits
from tests.family.conftest import SHAPES, derive_one, write_family

FAMILY = """
family: small
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  mean: {merge: {parents: [a, b], method: linear}}
  lean: {prune: {parent: mean, sparsity: 0.5}}
  leaner: {prune: {parent: lean, method: magnitude, sparsity: 0.75, scope: row}}
"""
UP = "model.layers.0.mlp.up_proj"


def run(session: Session, folder: Path, text: str = FAMILY) -> dict[str, LocalModel]:
    return dict(run_family(session, read_family(write_family(folder, text), session.knows), folder / "models"))


def test_linear_layers_are_pruned_and_all_else_is_the_parent_s(session: Session, parents: Path) -> None:
    run(session, parents)
    mean, lean, leaner = (read_folder(parents / "models" / name) for name in ("mean", "lean", "leaner"))
    weight = f"{UP}.weight"
    assert same_bits(lean[weight], MagnitudePruning(sparsity=0.5)([mean[weight]]))
    assert same_bits(leaner[weight], MagnitudePruning(sparsity=0.75, scope="row")([lean[weight]]))
    assert all(same_bits(leaner[name], mean[name]) for name in SHAPES if name != weight)
    for path in ("config.json", "tokenizer.json"):
        assert (parents / "models" / "lean" / path).read_bytes() == (parents / "a" / path).read_bytes()


def test_a_pruned_model_is_recomputed(session: Session, parents: Path) -> None:
    built = run(session, parents)
    verdicts = {v.label: v for v in verify_references(session, [], "small")}
    for name in ("lean", "leaner"):
        assert (verdicts[name].faults, verdicts[name].recomputed) == ((), len(SHAPES))
        (step,) = session.registry.steps_of(built[name].model_hash)
        assert (step.evidence, step.share) == (Evidence.REPLAYED, 1.0)


def test_the_step_and_its_summary_go_to_json_and_back(session: Session, parents: Path) -> None:
    built = run(session, parents)
    provenance = read_provenance(built["leaner"].folder)
    assert provenance is not None
    step = provenance.step
    assert step.derivation == Prune(built["lean"].model_hash, 0.75)
    assert step.options == {"sparsity": 0.75, "scope": "row"}
    assert Step.from_json(json.loads(json.dumps(step.to_json()))) == step
    assert derivation_from_json(json.loads(json.dumps(step.derivation.to_json()))) == step.derivation


def test_the_plan_is_what_is_built_and_says_that_nothing_gets_smaller(session: Session, parents: Path) -> None:
    family = read_family(write_family(parents, FAMILY))
    planned = {model.name: model for model in plan_family(session, family, parents / "models")}
    built = run(session, parents)
    for name in ("lean", "leaner"):
        checkpoint = built[name].checkpoint
        assert (planned[name].parameters, planned[name].tensor_bytes) == (
            parameters_of(checkpoint),
            checkpoint.tensor_bytes,
        )
        assert planned[name].tensor_bytes == planned["mean"].tensor_bytes
        assert "as large and as fast as its parent" in planned[name].note
    assert planned["mean"].note == ""


def test_an_unknown_architecture_is_refused_by_the_plan_and_before_a_byte_is_written(
    session: Session, parents: Path
) -> None:
    make_checkpoint(parents / "a", {f"{UP}.weight": np.ones((4, 4))}, {"model_type": "gpt2"})
    text = "models: {a: {original: {path: ./a}}, lean: {prune: {parent: a, sparsity: 0.5}}}"
    family = read_family(write_family(parents, text))
    with pytest.raises(CheckpointError, match=r":a: what its tensors do is not known for model_type 'gpt2'"):
        plan_family(session, family, parents / "models")
    with pytest.raises(CheckpointError, match="a: what its tensors do is not known for model_type 'gpt2'"):
        run(session, parents, text)
    assert not (parents / "models" / "lean").exists()


ADAPTED = """
family: small
models:
  a: {original: {path: ./a}}
  tuned: {original: {path: ./tuned}}
  whole: {merge: {parents: [tuned], base: a, method: adapter}}
"""


@pytest.fixture
def tuned(parents: Path) -> Path:
    a, b = np.full((2, 8), 0.5, np.float32), np.arange(32, dtype=np.float32).reshape(16, 2)
    return make_adapter(parents / "tuned", {UP: (a, b)})


def test_an_adapter_is_pruned_on_its_base(session: Session, parents: Path, tuned: Path) -> None:
    run(session, parents, ADAPTED)
    inputs = [Reference("base", str(parents / "a")), Reference("parent", str(tuned))]
    lean = derive_one(session, "prune", MagnitudePruning(sparsity=0.5), inputs, parents / "models" / "lean")
    whole = read_folder(parents / "models" / "whole")
    found = read_folder(lean.folder)
    assert same_bits(found[f"{UP}.weight"], MagnitudePruning(sparsity=0.5)([whole[f"{UP}.weight"]]))
    (record,) = session.registry.steps_of(lean.model_hash)
    assert [used.role for used in record.step.inputs] == ["base", "parent"]
    assert record.step.derivation == Prune(session.identify(session.find(str(tuned))).model_hash, 0.5)
    (verdict,) = verify_references(session, [str(lean.folder)])
    assert (verdict.faults, verdict.recomputed) == ((), len(SHAPES))


def test_an_adapter_of_unknown_base_is_refused(session: Session, parents: Path, tuned: Path) -> None:
    method = MagnitudePruning(sparsity=0.5)
    with pytest.raises(MethodError, match="magnitude: the base of the adapter tuned is not known; name it as base"):
        derive_one(session, "prune", method, [Reference("parent", str(tuned))], parents / "models" / "lean")


def test_two_parents_are_refused(session: Session, parents: Path) -> None:
    inputs = [Reference("parent", str(parents / name)) for name in "ab"]
    with pytest.raises(MethodError, match="magnitude: one model is pruned at a time, got 2"):
        derive_one(session, "prune", MagnitudePruning(sparsity=0.5), inputs, parents / "models" / "lean")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("parent: a", "lean: magnitude: the option 'sparsity' is needed"),
        ("parent: a, sparsity: 1", "lean: magnitude: sparsity must be in [0, 1), got 1.0"),
        ("parent: a, sparsity: -0.1", "lean: magnitude: sparsity must be in [0, 1), got -0.1"),
        ("parent: a, sparsity: .nan", "lean: magnitude: sparsity must be a finite number, got nan"),
        ("parent: a, sparsity: half", "lean: magnitude: sparsity must be a finite number"),
        (
            "parent: a, sparsity: 0.5, scope: column",
            "lean: magnitude: scope must be one of tensor, row, got 'column'",
        ),
        ("parent: a, sparsity: 0.5, method: wnada", "lean: unknown prune method 'wnada'"),
        ("parent: [a, b], sparsity: 0.5", "lean: parent must name a model, got ['a', 'b']"),
        ("parent: a, sparsity: 0.5, base: b", "lean: magnitude: unknown option 'base'"),
    ],
)
def test_a_faulty_recipe_is_told_with_its_line(parents: Path, written: str, fault: str) -> None:
    text = f"models:\n  a: {{original: {{path: ./a}}}}\n  lean: {{prune: {{{written}}}}}\n"
    with pytest.raises(RecipeError) as caught:
        read_family(write_family(parents, text))
    (line,) = str(caught.value).splitlines()
    assert f"family.yaml:3: {fault}" in line


def test_transformers_opens_a_pruned_model(session: Session, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from tests.engines.tiny_models import make_model

    inputs = [Reference("parent", str(make_model(tmp_path / "dense")))]
    method = MagnitudePruning(sparsity=0.5, scope="row")
    folder = derive_one(session, "prune", method, inputs, tmp_path / "models" / "lean").folder
    model, loading = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values())
    zeros = {
        name: (module.weight == 0).sum(1)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    for name, found in zeros.items():
        columns = model.get_submodule(name).in_features
        assert set(found.tolist()) == {0 if name == "lm_head" else columns // 2}
    assert len(zeros) == 15
