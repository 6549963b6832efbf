"""What is planned, registered and recorded of a child in codes has the parameters of the weights it stands for."""

import json
from pathlib import Path

import ml_dtypes

from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.lineal_json import read_provenance
from tests.builders import write_json
from tests.family.conftest import write_family
from tests.llamas import make_llama

SCHEMES = ("w4a16", "w8a8", "fp8_dynamic", "mxfp4", "nvfp4", "nf4", "int8", "q8_0")


def test_children_in_codes_have_the_parameters_of_their_parent(tmp_path: Path, session: Session) -> None:
    make_llama(tmp_path / "m", dtype=ml_dtypes.bfloat16, hidden_size=128, intermediate_size=256)
    names = {f"c{i}" + (".gguf" if scheme == "q8_0" else ""): scheme for i, scheme in enumerate(SCHEMES)}
    children = "".join(f"  {name}: {{quantize: {{parent: m, scheme: {scheme}}}}}\n" for name, scheme in names.items())
    family = read_family(write_family(tmp_path, f"family: f\nmodels:\n  m: {{original: {{path: ./m}}}}\n{children}"))
    before = {plan.name: plan.parameters for plan in plan_family(session, family, tmp_path / "models")}
    made = dict(run_family(session, family, tmp_path / "models"))
    after = {plan.name: plan.parameters for plan in plan_family(session, family, tmp_path / "models")}
    known = {name: session.registry.model(local.model_hash).parameters for name, local in made.items()}
    everything = dict.fromkeys(("m", *names), before["m"])
    assert before == after == known == everything
    for name in names:
        provenance = read_provenance(made[name].path)
        assert provenance is not None
        assert provenance.hashes.parameters == before["m"], name
    record = json.loads((made["c0"].path / "lineal.json").read_bytes())
    assert record["parameters"] == before["m"]


def test_an_edited_count_is_noticed_where_some_tensors_are_codes(tmp_path: Path, session: Session) -> None:
    make_llama(tmp_path / "m", dtype=ml_dtypes.bfloat16, hidden_size=128, intermediate_size=256)
    models = "  m: {original: {path: ./m}}\n  c: {quantize: {parent: m, scheme: w4a16}}\n"
    family = read_family(write_family(tmp_path, f"family: f\nmodels:\n{models}"))
    child = dict(run_family(session, family, tmp_path / "models"))["c"]
    record = json.loads((child.path / "lineal.json").read_bytes())
    for edited in (record["parameters"] - 1, 10 * record["tensor_bytes"], "many"):
        write_json(child.path / "lineal.json", {**record, "parameters": edited})
        (verdict,) = verify_references(session, ["f:c"], None)
        assert verdict.faults, edited
    write_json(child.path / "lineal.json", record)
    (verdict,) = verify_references(session, ["f:c"], None)
    assert not verdict.faults
