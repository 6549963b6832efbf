"""Folders of codes through the verbs, a verb a format, as the values that they stand for, with no library of any."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.origin.add import add_folder
from lineal.family.origin.adopt import explain
from lineal.family.origin.distance import measure
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.questions.blame import blame
from lineal.lineage.questions.difference import Change, difference
from lineal.lineage.questions.search import matches
from tests.builders import Array, make_checkpoint, read_folder, write_json
from tests.family.conftest import write_family
from tests.llamas import CONFIG, END, byte_level_bpe, in_gguf, llama_tensors, read_gguf
from tests.reference.prune import magnitude
from tests.reference.quantized import FORMS
from tests.trained_llamas import trained_like

Tensors = dict[str, Array]


def encoded(tensors: Tensors, form: str) -> tuple[Tensors, Tensors]:
    """The linear layers of the blocks in a format, all else in bfloat16: what is stored, and what it stands for."""
    stored: Tensors = {}
    values: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith("_proj.weight"):
            found = FORMS[form].store(tensor.astype(np.float32))
            stored |= {f"{name.removesuffix('weight')}{end}": part for end, part in found.tensors.items()}
            values[name] = found.values
        else:
            stored[name] = tensor.astype(ml_dtypes.bfloat16)
            values[name] = stored[name].astype(np.float32)
    return stored, values


def make(folder: Path, form: str, tensors: Tensors | None = None, **config: Any) -> Tensors:
    """A Llama in a format, and its values in float32."""
    stored, values = encoded(llama_tensors(CONFIG, dtype=np.float32) if tensors is None else tensors, form)
    settings = {"quantization_config": FORMS[form].settings, "dtype": "float32"}
    make_checkpoint(folder, stored, {**CONFIG, **settings, **config})
    write_json(folder / "tokenizer.json", byte_level_bpe())
    write_json(folder / "tokenizer_config.json", {"eos_token": END, "tokenizer_class": "PreTrainedTokenizerFast"})
    return values


def built(session: Session, at: Path, models: str) -> dict[str, LocalModel]:
    """The family; what its plan foresaw of every model is what came out."""
    family = read_family(write_family(at, f"family: f\nmodels:\n{models}"))
    plans = {plan.name: plan for plan in plan_family(session, family, at / "models")}
    local = dict(run_family(session, family, at / "models"))
    for name, found in local.items():
        if (at / "models" / name).exists():
            seen = (parameters_of(found.checkpoint), found.checkpoint.tensor_bytes)
            assert (plans[name].parameters, plans[name].tensor_bytes) == seen, name
    return local


def recomputed(session: Session) -> dict[str, int]:
    verdicts = {verdict.label: verdict for verdict in verify_references(session, [], "f")}
    assert all(verdict.ok for verdict in verdicts.values()), verdicts
    return {label: verdict.recomputed for label, verdict in verdicts.items()}


@pytest.mark.parametrize("form", ["w4a16", "w3a16 with zeros", "w5a16 of rows"])
def test_packed_integers_are_merged_with_others_and_verified(session: Session, tmp_path: Path, form: str) -> None:
    values = make(tmp_path / "q", form)
    other = make(tmp_path / "r", "fp8 of rows", llama_tensors(CONFIG, 2))
    text = "  q: {original: {path: ./q}}\n  r: {original: {path: ./r}}\n"
    local = built(session, tmp_path, text + "  x: {merge: {parents: [q, r], method: linear, weights: [3, 1]}}\n")
    child, config = read_folder(local["x"].folder), json.loads((local["x"].folder / "config.json").read_text())
    assert "quantization_config" not in config
    for name, ours in values.items():
        mixed = np.float32(0.75) * ours + np.float32(0.25) * other[name]
        assert np.array_equal(child[name], mixed if name.endswith("_proj.weight") else mixed.astype(child[name].dtype))
    assert recomputed(session)["x"] == len(values)


def test_small_floats_are_pruned(session: Session, tmp_path: Path) -> None:
    values = make(tmp_path / "q", "nvfp4")
    text = "  q: {original: {path: ./q}}\n  lean: {prune: {parent: q, sparsity: 0.5}}\n"
    child = read_folder(built(session, tmp_path, text)["lean"].folder)
    for name, tensor in values.items():
        wanted = magnitude(tensor, 0.5, "tensor") if name.endswith("_proj.weight") else tensor
        assert np.array_equal(child[name].astype(np.float32), wanted.astype(np.float32)), name
    assert recomputed(session)["lean"] == len(values)


def test_codes_of_a_byte_are_quantized_into_a_gguf(session: Session, tmp_path: Path) -> None:
    values = make(tmp_path / "q", "w8a8", dtype="bfloat16")
    text = "  q: {original: {path: ./q}}\n  x.gguf: {quantize: {parent: q, scheme: q8_0}}\n"
    local = built(session, tmp_path, text)["x.gguf"]
    found, _ = read_gguf(local.path)
    for name, (kind, raw) in in_gguf(values, CONFIG, "q8_0").items():
        assert found[name][0] == kind
        assert np.array_equal(found[name][1], raw), name
    assert recomputed(session)["x.gguf"] == len(values)


def test_distances_are_those_of_values_and_hashes_those_of_what_is_stored(session: Session, tmp_path: Path) -> None:
    values = make(tmp_path / "q", "mxfp8")
    make_checkpoint(tmp_path / "full", values, {**CONFIG, "dtype": "float32"})
    ends = [add_folder(session, tmp_path / name, name).model_hash for name in ("q", "full")]
    found = {distance.name: distance for distance in measure(session, ends[0], ends[1])}
    assert found.keys() == values.keys()
    assert all(distance.norm == 0 for distance in found.values())
    changes = {one.name: one.change for one in difference(session.registry, ends[0], ends[1]).tensors}
    assert changes["model.layers.0.mlp.up_proj.weight_scale"] is Change.REMOVED
    assert changes["model.layers.0.mlp.up_proj.weight"] is Change.RETYPED


def test_a_folder_of_codes_is_found_again_and_its_tensors_are_its_own(session: Session, tmp_path: Path) -> None:
    values = make(tmp_path / "q", "mxfp4")
    added = add_folder(session, tmp_path / "q", "zoo:q")
    make(tmp_path / "again", "mxfp4")
    (match,) = matches(session.registry, session.identify(session.open("again", tmp_path / "again")).record)
    assert match.same_model
    text = "  q: {original: {path: ./q}}\n  x: {merge: {parents: [q], method: passthrough}}\n"
    child = built(session, tmp_path, text)["x"]
    origins = {one.tensor: one.introduced_by for one in blame(session.registry, child.model_hash)}
    kept = {name for name in values if not name.endswith("_proj.weight")}
    assert {name for name, origin in origins.items() if origin == added.model_hash} == kept


@pytest.mark.parametrize(("form", "scheme"), [("w8a8", "int8"), ("fp8 of rows", "fp8")])
def test_codes_are_adopted_as_the_quantization_that_they_are(
    session: Session, tmp_path: Path, form: str, scheme: str
) -> None:
    base = trained_like(1)
    make_checkpoint(tmp_path / "base", base, CONFIG)
    make(tmp_path / "q", form, base, dtype="bfloat16")
    add_folder(session, tmp_path / "base", "zoo:base")
    best = explain(session, str(tmp_path / "q")).best
    assert best is not None
    assert [local.label for _, local in best.inputs] == ["base"]
    assert (best.finding.kind, best.finding.options) == ("quantize", {"scheme": scheme})


def test_what_was_pruned_from_codes_is_adopted_as_their_child(session: Session, tmp_path: Path) -> None:
    values = make(tmp_path / "q", "weight_scale_inv", trained_like(1))
    pruned = {name: magnitude(t, 0.5, "tensor") if name.endswith("_proj.weight") else t for name, t in values.items()}
    make_checkpoint(tmp_path / "lean", pruned, {**CONFIG, "dtype": "float32"})
    add_folder(session, tmp_path / "q", "zoo:q")
    best = explain(session, str(tmp_path / "lean")).best
    assert best is not None
    assert (best.finding.kind, [local.label for _, local in best.inputs]) == ("prune", ["q"])


def test_experts_as_gpt_oss_stores_them_come_out_as_it_publishes_them(session: Session, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    name = "model.layers.0.mlp.experts.gate_up_proj"
    drawn = {f"{name}_bias": (2, 128), "model.norm.weight": (64,), "model.embed_tokens.weight": (272, 64)}
    plain = {name: generator.standard_normal(shape).astype(ml_dtypes.bfloat16) for name, shape in drawn.items()}
    found = FORMS["gpt-oss"].store(generator.standard_normal((2, 64, 128)).astype(np.float32))
    stored = {f"model.layers.0.mlp.{end}": tensor for end, tensor in found.tensors.items()}
    config = {"model_type": "gpt_oss", "num_hidden_layers": 1, "vocab_size": 272, "tie_word_embeddings": True}
    make_checkpoint(tmp_path / "q", plain | stored, {**config, "quantization_config": FORMS["gpt-oss"].settings})
    make_checkpoint(tmp_path / "full", plain | {name: found.values.astype(ml_dtypes.bfloat16)}, config)
    text = "  q: {original: {path: ./q}}\n  full: {original: {path: ./full}}\n"
    text += "  same: {merge: {parents: [q], method: passthrough}}\n"
    text += "  both: {merge: {parents: [full, q], method: linear, weights: [3, 1]}}\n"
    local = built(session, tmp_path, text)
    for made in ("same", "both"):
        child = read_folder(local[made].folder)
        assert child.keys() == plain.keys() | {name}
        assert child[name].tobytes() == found.values.astype(ml_dtypes.bfloat16).tobytes()
    assert local["same"].model_hash == local["full"].model_hash
    assert max(recomputed(session).values()) == len(plain) + 1
