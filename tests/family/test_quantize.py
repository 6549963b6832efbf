"""Quantized models of a family: compared with what they were made from, and parents themselves."""

import math
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.derivation import Quantize
from lineal.derivation.quantization import QuantizationType
from lineal.errors import RecipeError
from lineal.family.build.evaluation import evaluate_model, references_of
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.file.recipe import Reference
from lineal.family.origin.add import add_folder
from lineal.family.progress import Advance, Silent, Unit
from lineal.family.session import Session
from lineal.lineage.registry import Registry
from lineal.lineage.shown.report_words import taken
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.quantize.gguf import GgufQuantization
from tests.builders import make_adapter, random_tensors
from tests.engines.tiny_models import make_model, write_data
from tests.family.conftest import derive_one, write_family
from tests.lineage.test_reports import kept

FAMILY = """
family: small
models:
  m: {original: {path: ./m}}
  q8: {quantize: {parent: m, scheme: q8_0}}
"""
UP = "model.layers.0.mlp.up_proj"


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return make_model(tmp_path / "m", hidden_size=64, intermediate_size=96)


class Remarks:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def task(self, title: str, total: int, unit: Unit) -> AbstractContextManager[Advance]:
        return Silent().task(title, total, unit)


def adapter_on(folder: Path) -> Path:
    pair = random_tensors(1, {"a": (2, 64), "b": (96, 2)})
    return make_adapter(folder, {UP: (0.1 * pair["a"], 0.1 * pair["b"])})


def test_a_gguf_is_compared_with_what_it_was_made_from(session: Session, parent: Path, tmp_path: Path) -> None:
    family = read_family(write_family(tmp_path, FAMILY))
    built = run_family(session, family, tmp_path / "models")
    text = write_data(tmp_path / "data.jsonl", count=5)
    (found,) = evaluate_model(session, built["q8"], {"t": text})
    (itself,) = evaluate_model(session, built["m"], {"t": text})
    assert found.reference == built["m"].model_hash
    assert found.settings == itself.settings == {"context": 32}
    assert 0 < (found.kl or 0) < 0.1
    assert math.isclose(found.bits_per_byte, itself.bits_per_byte, rel_tol=0.05)


def test_of_an_adapter_it_is_the_whole_that_is_stored_and_compared_with(
    session: Session, parent: Path, tmp_path: Path
) -> None:
    adapter = adapter_on(tmp_path / "tuned")
    inputs = [Reference("base", f"{parent}"), Reference("parent", f"{adapter}")]
    quantized = derive_one(session, "quantize", GgufQuantization(scheme="f32"), inputs, tmp_path / "a.gguf")
    merged = derive_one(session, "merge", AdapterMerge(), inputs, tmp_path / "whole")
    again = derive_one(
        session,
        "quantize",
        GgufQuantization(scheme="f32"),
        [Reference("parent", f"{merged.path}")],
        tmp_path / "b.gguf",
    )
    assert quantized.model_hash == again.model_hash
    (reference,) = references_of(session, quantized)
    assert reference.path == adapter
    (record, *_) = session.registry.steps_of(quantized.model_hash)
    assert [i.role for i in record.step.inputs] == ["base", "parent"]
    assert record.step.derivation == Quantize(reference.model_hash, QuantizationType.F32)


@pytest.mark.parametrize(
    "step",
    [
        "merge: {parents: [q8, q8], method: linear}",
        "prune: {parent: q8, sparsity: 0.5}",
        "quantize: {parent: q8, scheme: q4_0}",
    ],
)
def test_a_plan_knows_what_is_made_of_a_gguf(session: Session, parent: Path, tmp_path: Path, step: str) -> None:
    family = read_family(write_family(tmp_path, FAMILY + f"  child: {{{step}}}\n"))
    planned = [plan_family(session, family, tmp_path / "models")[-1]]  # when the GGUF is still to be made
    run_family(session, family, tmp_path / "models", ["q8"])
    planned.append(plan_family(session, family, tmp_path / "models")[-1])  # and when it is there
    made = run_family(session, family, tmp_path / "models")["child"].checkpoint
    for plan in planned:
        assert (plan.parameters, plan.tensor_bytes) == (parameters_of(made), made.tensor_bytes)


def test_a_plan_knows_the_types_of_rows_that_are_no_whole_blocks(session: Session, tmp_path: Path) -> None:
    make_model(tmp_path / "m", hidden_size=64, intermediate_size=40)
    family = read_family(write_family(tmp_path, FAMILY))
    planned = plan_family(session, family, tmp_path / "models")[-1]
    assert "2 matrices with rows of 40 are no whole blocks of Q8_0: stored as F16" in planned.note
    made = run_family(session, family, tmp_path / "models")["q8"].checkpoint
    assert planned.tensor_bytes == made.tensor_bytes


def test_a_file_with_an_unknown_scheme_is_told_with_its_line(session: Session, parent: Path, tmp_path: Path) -> None:
    path = write_family(tmp_path, FAMILY.replace("q8_0", "iq1_s"))
    with pytest.raises(RecipeError, match=r"family.yaml:5: q8: gguf: scheme must be one of f32, f16, bf16, q8_0, q4_0"):
        read_family(path)


def test_what_quantizing_cost_is_said_recorded_and_taken_along(session: Session, parent: Path, tmp_path: Path) -> None:
    family, said = read_family(write_family(tmp_path, FAMILY)), Remarks()
    built = run_family(replace(session, progress=said), family, tmp_path / "models")
    report = kept(session.registry, built["q8"].model_hash)
    assert report is not None
    assert {name for name, _ in report.tensors} == built["q8"].checkpoint.keys()
    assert 40 < (report.rounded.rounding.decibels or 0) < 60
    assert report.total.stored_bytes == built["q8"].checkpoint.tensor_bytes
    assert kept(session.registry, built["m"].model_hash) is None
    (line,) = [line for line in said.lines if "bits a weight" in line]
    assert line.startswith(f"q8: {taken(report.total, built['m'].checkpoint.tensor_bytes)}, SQNR ")
    with Registry.open(tmp_path / "elsewhere.db") as registry:
        add_folder(replace(session, registry=registry), tmp_path / "models" / "q8")
        assert kept(registry, built["q8"].model_hash) == report


def test_a_merge_has_no_report(session: Session, parent: Path, tmp_path: Path) -> None:
    inputs = [Reference("base", f"{parent}"), Reference("parent", f"{adapter_on(tmp_path / 'tuned')}")]
    merged = derive_one(session, "merge", AdapterMerge(), inputs, tmp_path / "whole")
    assert kept(session.registry, merged.model_hash) is None
    assert "quantization" not in (tmp_path / "whole" / "lineal.json").read_text()
