"""lineal show: everything known of one model."""

import json
from pathlib import Path

import pytest

from lineal.checkpoint.content.identity import Leaf, manifest_of
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Evaluation, ModelRecord, Name
from lineal.lineage.registry import Registry
from tests.cli.conftest import Run
from tests.lineage.families import Member, add_family, digest, model, step


def lines_of(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines()]


def test_a_model_is_shown_with_its_identity(registry: Registry, run: Run, tmp_path: Path):
    hashes = add_family(registry, folder=tmp_path)
    (tmp_path / "code").mkdir()
    registry.set_name(Name("team", "coder", hashes["code"]))
    code, out, err = run("show", "code")
    assert (code, err) == (0, "")
    lines = lines_of(out)
    assert lines[0] == ["code"]
    assert ["names", "demo:code,", "team:coder"] in lines
    assert ["model", "hash", f"b3:{hashes['code'].hex()}"] in lines
    assert ["form", "adapter"] in lines
    assert ["parameters", "65,536"] in lines
    assert ["size", "of", "tensors", "131", "kB", "(131,072", "bytes)"] in lines
    assert ["lies", "at", str(tmp_path / "code")] in lines
    assert "not there any more" in run("show", "prose")[1]


def test_of_an_adapter_it_is_shown_what_is_not_adapted(registry: Registry, run: Run):
    layers = [f"model.layers.{i}.mlp" for i in range(3)]
    names = ["model.embed_tokens", *(f"{layer}.{part}" for layer in layers for part in ("gate", "up_proj"))]
    base = [Leaf(f"{name}.weight", "BF16", (4, 4), 32, digest(name)) for name in names]
    norm = Leaf("model.norm.weight", "BF16", (4,), 8, digest("norm"))
    pairs = [f"base_model.model.{layer}.up_proj.lora_{side}.weight" for layer in layers for side in "AB"]
    adapter = [Leaf(name, "F32", (4, 4), 64, digest(name)) for name in pairs]
    records = [
        ModelRecord(manifest_of(leaves, {}), form) for leaves, form in (([*base, norm], "full"), (adapter, "adapter"))
    ]
    for record in records:
        registry.add_model(record)
    hashes = [record.manifest.model_hash for record in records]
    registry.record(step(hashes[1], hashes[0], method="lora"))
    lines = lines_of(run("show", f"b3:{hashes[1].hex()}")[1])
    assert ["not", "adapted", "model.embed_tokens"] in lines
    assert ["model.layers.*.mlp.gate", "(3)"] in lines
    assert not any("up_proj" in word or "norm" in word for line in lines for word in line)


def test_its_step_is_shown_with_inputs_by_name_options_data_environment_and_evidence(registry: Registry, run: Run):
    hashes = add_family(registry)
    lines = lines_of(run("show", "both")[1])
    assert ["made", "by", "merge,", "method", "ties", "(version", "1)"] in lines
    assert ["inputs", "base", "base", f"b3:{hashes['base'].hex()}"] in lines
    assert ["parent", "prose", f"b3:{hashes['prose'].hex()}"] in lines
    assert ["options", "density", "=", "0.2"] in lines
    assert ["environment", "lineal", "0.1.0"] in lines
    assert ["when", "2025-10-09T08:53:23Z,", "in", "12.5", "s"] in lines
    assert ["evidence", "recorded"] in lines
    assert ["data", "code.jsonl", f"b3:{digest('code.jsonl').hex()}"] in lines_of(run("show", "code")[1])


def test_its_evaluations_are_shown_with_what_they_are_measured_against(registry: Registry, run: Run):
    hashes = add_family(registry)
    distance = Evaluation(hashes["both"], "code", digest("code"), {"context": 256}, hashes["base"], kl=0.125, tokens=9)
    registry.record_evaluation(distance)
    lines = lines_of(run("show", "both")[1])
    assert ["code", "32.6", "1.250", "1,000", "context", "256"] in lines
    assert ["code", "0.1250", "from", "base", "9", "context", "256"] in lines


def test_other_steps_come_after_the_first(registry: Registry, run: Run):
    hashes = add_family(registry)
    _ = registry.record(step(hashes["base"], hashes["both"], method="back"))
    (lean,) = registry.steps_of(hashes["lean"])
    _ = registry.raise_evidence(lean, Evidence.REPLAYED, 0.25)
    out = run("show", "base")[1]
    assert out.index("made by") < out.index("also made by")
    assert "recorded; gave a model that was there before, so it is not an edge" in out
    assert "replayed, 25% of the tensors" in run("show", "lean")[1]


def test_an_unresolved_model_is_shown_as_such(registry: Registry, run: Run):
    _ = registry.record(step(digest("child"), digest("ghost")))
    out = run("show", f"b3:{digest('ghost').hex()[:12]}")[1]
    assert "others were made from it, but it was never added here" in out
    assert "parameters" not in out


def test_json_is_complete(registry: Registry, run: Run, tmp_path: Path):
    hashes = add_family(registry, folder=tmp_path)
    shown = json.loads(run("show", "demo:small", "--json")[1])
    assert (shown["label"], shown["names"]) == ("small", ["demo:small"])
    assert (shown["form"], shown["parameters"], shown["bytes"]) == ("full", 612_000, 1_224_000)
    assert shown["locations"] == [str(tmp_path / "small")]
    (made,) = shown["steps"]
    (known,) = registry.steps_of(hashes["small"])
    assert {key: made[key] for key in known.step.to_json()} == known.step.to_json()
    assert made["derivation_id"] == f"b3:{known.step.derivation_id.hex()}"
    assert (made["evidence"], made["seconds"], made["environment"]) == ("recorded", 12.5, {"lineal": "0.1.0"})
    assert shown["labels"][f"b3:{hashes['code'].hex()}"] == "code"


@pytest.mark.parametrize("reference", ["code", "demo:code", "path", "hash"])
def test_a_model_is_found_by_name_place_and_hash(registry: Registry, run: Run, tmp_path: Path, reference: str):
    hashes = add_family(registry, folder=tmp_path)
    asked = {"path": f"{tmp_path}/code", "hash": f"b3:{hashes['code'].hex()[:8]}"}.get(reference, reference)
    assert json.loads(run("show", asked, "--json")[1])["model"] == f"b3:{hashes['code'].hex()}"


def test_an_ambiguous_name_lists_the_candidates(registry: Registry, run: Run):
    _, _ = add_family(registry), add_family(registry, family="other")
    assert run("show", "base") == (
        2, "", "lineal: 'base' is the name of 2 models: demo:base, other:base\n",
    )  # fmt: skip


def test_a_licence_is_shown(registry: Registry, run: Run):
    registry.set_name(Name("demo", "a", registry.add_model(model("a", licence="1f2e"))))
    shown = lines_of(run("show", "a")[1])
    assert ["licence", "unknown"] in shown
    assert ["licence", "texts", "1f2e"] in shown


def test_a_damaged_registry_is_one_clear_line(tmp_path: Path, run: Run):
    place = tmp_path / "registry.db"
    _ = place.write_bytes(b"SQLite format 3\0" + b"damage" * 100)
    code, out, err = run("show", "a", "--registry", str(place))
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert str(place) in err


def test_control_characters_of_a_foreign_record_never_reach_the_terminal(registry: Registry, run: Run):
    bell = Member("bell", "original", "hub\x1b[2J", options={"note\x07": "\x1b]0;title\x07"}, perplexity={"t\x1b": 2.0})
    _ = add_family(registry, [bell])
    for words in (("show", "bell"), ("log",)):
        _, out, _ = run(*words)
        assert all(letter.isprintable() or letter == "\n" for letter in out)
    assert "note\\x07 = \\x1b]0;title\\x07" in run("show", "bell")[1]
