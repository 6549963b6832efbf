"""mergekit's recipes run: what comes out is what mergekit 0.1.5 makes of the same, and it can be verified."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.errors import CheckpointError
from lineal.family.build.one_off import derive, family_of_recipe
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from tests.builders import Array, make_adapter, make_checkpoint, random_tensors, read_folder
from tests.family.conftest import write_family

CONFIG = {"model_type": "llama", "hidden_size": 4, "tie_word_embeddings": False, "torch_dtype": "float32"}
OUTSIDE = {"model.embed_tokens.weight": (6, 4), "model.norm.weight": (4,), "lm_head.weight": (6, 4)}
WITHIN = {"self_attn.q_proj": (4, 4), "mlp.up_proj": (8, 4), "input_layernorm": (4,)}


def shapes(blocks: int) -> dict[str, tuple[int, ...]]:
    within = {f"model.layers.{i}.{part}.weight": shape for i in range(blocks) for part, shape in WITHIN.items()}
    return {**OUTSIDE, **within}


def llama(folder: Path, tensors: Mapping[str, Array], **config: object) -> Path:
    blocks = 1 + max(int(name.split(".")[2]) for name in tensors if ".layers." in name)
    return make_checkpoint(folder, dict(tensors), {**CONFIG, "num_hidden_layers": blocks, **config})


def constant(folder: Path, base: float, blocks: int = 4) -> Path:
    """Every tensor one number: that of its block added to the model's, 50, 60 and 70 outside."""
    numbers = {"model.embed_tokens.weight": 50.0, "model.norm.weight": 60.0, "lm_head.weight": 70.0}
    tensors = {
        name: np.full(shape, base + numbers.get(name, float(name.split(".")[2]) if "layers" in name else 0), np.float32)
        for name, shape in shapes(blocks).items()
    }
    return llama(folder, tensors)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three constant models A, B and C in the current folder."""
    for name, number in (("A", 1000), ("B", 2000), ("C", 3000)):
        constant(tmp_path / name, number)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(session: Session, at: Path, text: str, out: str = "out") -> dict[str, Array]:
    (at / "recipe.yml").write_text(text)
    family = family_of_recipe(session, at / "recipe.yml", at / out, allow_nonfinite=False)
    return read_folder(derive(session, family, at / out).folder)


def numbers(tensors: Mapping[str, Array]) -> list[float]:
    """Embedding, the blocks' norms, final norm, head."""
    norms = sorted(name for name in tensors if "input_layernorm" in name)
    names = ["model.embed_tokens.weight", *norms, "model.norm.weight", "lm_head.weight"]
    return [float(tensors[name].flat[0]) for name in names]


OBSERVED = {
    "a gradient of one model before that of all": (
        (
            "merge_method: linear\nmodels: [{model: A, parameters: {weight: [0,1]}},{model: B}]\n"
            "parameters: {weight: [1,0]}"
        ),
        [2050, 2000, 1667.6667, 1335.3333, 1003, 2060, 2070],
    ),
    "a source's weight before its slice's": (
        (
            "merge_method: linear\nslices:\n"
            " - sources: [{model: A, layer_range: [0,2], parameters: {weight: 1}},{model: B, layer_range: [0,2]}]\n"
            "   parameters: {weight: 3}\n"
            " - sources: [{model: A, layer_range: [2,4]},{model: B, layer_range: [1,3]}]\nparameters: {weight: [1,2]}"
        ),
        [1800, 1750, 1751, 1501.5, 1502.5, 1560, 1570],
    ),
    "a filter's fall to the next level": (
        (
            "merge_method: linear\nmodels: [{model: A, parameters: {weight: [{filter: input_layernorm, value: 1}]}},"
            "{model: B}]\nparameters: {weight: 3}"
        ),
        [1550, 1750, 1751, 1752, 1753, 1560, 1570],
    ),
    "outside the blocks of two models": (
        (
            "merge_method: passthrough\nslices:\n - sources: [{model: A, layer_range: [0,2]}]\n"
            " - sources: [{model: B, layer_range: [2,4]}]\nbase_model: C"
        ),
        [1050, 1000, 1001, 2002, 2003, 2060, 2070],
    ),
    "a part of one block is its end": (
        (
            "merge_method: passthrough\nslices:\n"
            " - sources: [{model: A, layer_range: [2,3], parameters: {scale: [0.25, 1]}}]\n"
            " - sources: [{model: A, layer_range: [0,3], parameters: {scale: [0, 1]}}]"
        ),
        [262.5, 1002, 0, 500.5, 1002, 0, 0],
    ),
    "filters see the names of the source": (
        (
            "merge_method: passthrough\nslices:\n - sources: [{model: A, layer_range: [2,4], parameters: {scale: "
            "[{filter: layers.2., value: 0}, {filter: layers.0., value: 2},{value: 1}]}}]"
        ),
        [1050, 0, 1003, 1060, 1070],
    ),
    "a base from other blocks": (
        (
            "merge_method: task_arithmetic\nbase_model: C\nslices:\n"
            " - sources: [{model: C, layer_range: [2,4]},{model: A, layer_range: [0,2]}]\nparameters: {weight: 0.5}"
        ),
        [2050, 2001, 2002, 2060, 2070],
    ),
    "flags of a gradient": (
        "merge_method: linear\nmodels: [{model: A},{model: B}]\nparameters: {weight: 1, normalize: [true, false]}",
        [1550, 1500, 1501, 1502, 3006, 1560, 1570],
    ),
    "each slice its own base": (
        (
            "merge_method: slerp\nslices:\n"
            " - sources: [{model: A, layer_range: [0,2]},{model: B, layer_range: [0,2]}]\n   base_model: B\n"
            " - sources: [{model: A, layer_range: [2,4]},{model: B, layer_range: [2,4]}]\n   base_model: A\n"
            "parameters: {t: 0.25}"
        ),
        [1800, 1750, 1751, 1252, 1253, 1310, 1320],
    ),
}


@pytest.mark.parametrize("name", list(OBSERVED))
def test_a_recipe_gives_what_mergekit_gives(session: Session, at: Path, name: str) -> None:
    text, expected = OBSERVED[name]
    merged = run(session, at, text)
    assert numbers(merged) == pytest.approx(expected, rel=1e-6)
    (verdict,) = verify_references(session, [str(at / "out")])
    assert (verdict.ok, verdict.recomputed) == (True, len(merged))


def test_the_config_has_the_blocks_and_the_dtype_of_the_child(session: Session, at: Path) -> None:
    text = "merge_method: passthrough\nslices:\n" + 2 * " - sources: [{model: A, layer_range: [0,3]}]\n"
    merged = run(session, at, text + "dtype: bfloat16")
    config = json.loads((at / "out" / "config.json").read_text())
    assert (config["num_hidden_layers"], config["torch_dtype"]) == (6, "bfloat16")
    assert {str(tensor.dtype) for tensor in merged.values()} == {"bfloat16"}


def test_the_second_run_does_nothing_and_a_plain_merge_is_the_same_derivation(session: Session, at: Path) -> None:
    text = "merge_method: slerp\nbase_model: A\nmodels: [{model: B}]\nparameters: {t: 0.3}"
    run(session, at, text)
    before = (at / "out" / "model.safetensors").stat().st_mtime_ns
    run(session, at, text)
    assert (at / "out" / "model.safetensors").stat().st_mtime_ns == before
    plain = "models: {out: {merge: {parents: [./A, ./B], method: slerp, t: 0.3}}}"
    run_family(session, read_family(write_family(at, plain), session.knows), at)
    assert (at / "out" / "model.safetensors").stat().st_mtime_ns == before


def test_stages_are_models_beside_the_last_one(session: Session, at: Path) -> None:
    text = """
name: first
merge_method: linear
models: [{model: A}, {model: B}]
parameters: {weight: 1}
---
merge_method: linear
models: [{model: first}, {model: C}]
parameters: {weight: 1}
"""
    assert numbers(run(session, at, text, "models/last"))[1] == 2250
    assert numbers(read_folder(at / "models" / "first"))[1] == 1500
    verdicts = list(verify_references(session, [], "models"))
    assert {verdict.label: verdict.recomputed for verdict in verdicts} == {"first": 15, "last": 15}


def test_a_recipe_stands_in_a_family_as_it_is(session: Session, at: Path) -> None:
    text = """
models:
  a: {original: {path: ./A}}
  b: {original: {path: ./B}}
  tall:
    merge:
      merge_method: passthrough
      slices:
        - sources: [{model: a, layer_range: [0, 2]}]
        - sources: [{model: b, layer_range: [1, 4]}]
  both: {merge: {merge_method: linear, models: [{model: tall}, {model: tall}], parameters: {weight: [1, 2]}}}
"""
    built = run_family(session, read_family(write_family(at, text), session.knows), at / "models")
    assert numbers(read_folder(built["tall"].folder)) == [1050, 1000, 1001, 2001, 2002, 2003, 2060, 2070]


def test_adapters_are_sources_like_full_models(session: Session, at: Path) -> None:
    base = random_tensors(1, shapes(2))
    llama(at / "base", base)
    a, b = (random_tensors(seed, {"m": shape})["m"] for seed, shape in ((2, (2, 4)), (3, (8, 2))))
    make_adapter(at / "code", {"model.layers.1.mlp.up_proj": (a, b)})
    text = "merge_method: passthrough\nslices: [{sources: [{model: base+code, layer_range: [1, 2]}]}]"
    merged = run(session, at, text)
    expected = base["model.layers.1.mlp.up_proj.weight"] + 2.0 * b @ a
    np.testing.assert_allclose(merged["model.layers.0.mlp.up_proj.weight"], expected, rtol=1e-5)
    (verdict,) = verify_references(session, [str(at / "out")])
    assert verdict.ok
    assert verdict.recomputed == len(merged)


def test_all_that_stands_against_a_recipe_is_told_from_headers(session: Session, at: Path) -> None:
    other = {name.replace("up_proj", "gate_proj"): np.zeros(shape, np.float32) for name, shape in shapes(4).items()}
    other["model.norm.weight"] = np.zeros(5, np.float32)
    llama(at / "D", other)
    text = "merge_method: linear\nmodels: [{model: A}, {model: D}]\nparameters: {weight: 1}\ndtype: bfloat16"
    with pytest.raises(CheckpointError) as caught:
        run(session, at, text)
    said = str(caught.value)
    assert "D has no 'model.layers.0.mlp.up_proj.weight'" in said
    assert "'model.norm.weight' is [4] in A, [5] in D" in said
    assert not (at / "out").exists()


def test_a_prefix_before_all_names_is_one_fault(session: Session, at: Path) -> None:
    renamed = {f"language_model.{name}": np.zeros(shape, np.float32) for name, shape in shapes(4).items()}
    make_checkpoint(at / "D", renamed, {**CONFIG, "num_hidden_layers": 4})
    with pytest.raises(CheckpointError) as caught:
        run(session, at, "merge_method: linear\nmodels: [{model: A}, {model: D}]\nparameters: {weight: 1}")
    assert str(caught.value).endswith("the names in D begin with 'language_model.', those in A do not")


def test_the_record_does_not_depend_on_how_models_are_called(session: Session, at: Path) -> None:
    text = "merge_method: linear\nmodels: [{model: A}, {model: B}]\nparameters: {weight: [1, 2]}"
    run(session, at, text)
    (at / "A").rename(at / "renamed")
    run(session, at, text.replace("{model: A}", "{model: renamed}"), "again")
    assert hash_folder(at / "out").manifest.model_hash == hash_folder(at / "again").manifest.model_hash
    records = [json.loads((at / name / "lineal.json").read_text())["step"] for name in ("out", "again")]
    assert records[0] == records[1]
