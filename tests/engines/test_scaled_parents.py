"""float8 weights with scales as parents: each value is code times scale, computed here by numpy and ml_dtypes."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream import tensor_pass
from lineal.errors import CheckpointError
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.registry import Registry
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.passthrough import Passthrough
from tests.builders import CONFIG, Array, make_checkpoint, random_tensors, read_folder, write_safetensors
from tests.engines.merges import write
from tests.engines.quantizations import quantize
from tests.family.conftest import write_family
from tests.llamas import CONFIG as LLAMA
from tests.llamas import in_gguf, llama_tensors, make_llama, read_gguf
from tests.reference.prune import magnitude

WEIGHT, NORM = "model.layers.0.mlp.up_proj.weight", "model.norm.weight"
OUT, WIDTH = 70, 150
BLOCK = (32, 48)

FINE_GRAINED = {"quant_method": "fp8", "weight_block_size": list(BLOCK)}
COMPRESSED = {"quant_method": "compressed-tensors", "format": "float-quantized"}


def codes(seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((OUT, WIDTH)).astype(ml_dtypes.float8_e4m3fn)


def scales(*shape: int) -> Array:
    return np.random.default_rng(2).uniform(0.01, 2.0, shape).astype(np.float32)


FORMS: dict[str, tuple[dict[str, Any], str, Array]] = {
    "blocks": (FINE_GRAINED, "_scale_inv", scales(3, 4)),
    "rows": (COMPRESSED, "_scale", scales(OUT, 1)),
    "rows in half precision": (COMPRESSED, "_scale", scales(OUT, 1).astype(ml_dtypes.bfloat16)),
    "tensor": (COMPRESSED, "_scale", scales(1)),
    "tensor as a scalar": (COMPRESSED, "_scale", scales()),
}


def expected(scale: Array) -> Array:
    """[OUT, WIDTH] float32: one multiplication each."""
    numbers = scale.astype(np.float32).reshape(scale.shape or (1,))
    if numbers.shape == (3, 4):
        numbers = np.repeat(np.repeat(numbers, BLOCK[0], axis=0)[:OUT], BLOCK[1], axis=1)[:, :WIDTH]
    return codes().astype(np.float32) * numbers


def make(folder: Path, form: str, **config: Any) -> Path:
    quantization, suffix, scale = FORMS[form]
    tensors = {
        WEIGHT: codes(),
        f"{WEIGHT}{suffix}": scale,
        NORM: random_tensors(3, {NORM: (WIDTH,)})[NORM].astype(ml_dtypes.bfloat16),
    }
    if form.startswith("tensor"):
        tensors[f"{WEIGHT.removesuffix('weight')}input_scale"] = scales(1)
    return make_checkpoint(folder, tensors, {**CONFIG, "quantization_config": quantization, **config})


def opened(folder: Path) -> Model:
    return full_model(folder.name, open_checkpoint(folder))


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("window", [1 << 17, 4096, 1])
def test_a_weight_is_its_codes_times_their_scales(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, window: int
) -> None:
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", 37 if window == 1 else window)
    parent = opened(make(tmp_path / "a", form, dtype="float32"))
    write(plan_merge(Passthrough(), [parent]), tmp_path / "child")
    child = read_folder(tmp_path / "child")
    assert set(child) == {WEIGHT, NORM}
    assert child[WEIGHT].tobytes() == expected(FORMS[form][2]).tobytes()
    assert child[NORM].dtype == ml_dtypes.bfloat16


def test_the_child_is_stored_in_bfloat16_unless_the_config_names_another_dtype(tmp_path: Path) -> None:
    parent = opened(make(tmp_path / "a", "rows"))
    write(plan_merge(Linear(), [parent, parent]), tmp_path / "child")
    child = read_folder(tmp_path / "child")
    assert child[WEIGHT].tobytes() == expected(FORMS["rows"][2]).astype(ml_dtypes.bfloat16).tobytes()


@pytest.mark.parametrize(
    ("quantization", "changes", "message"),
    [
        (
            {"quant_method": "exl9"},
            {},
            "a: .* holds quantized weights of the quant_method 'exl9', codes in a form that",
        ),
        ({**COMPRESSED, "format": "pack-quantized"}, {}, "has no config_groups"),
        (
            {**COMPRESSED, "transform_config": {"config_groups": {"u": {"type": "hadamard"}}}},
            {},
            "holds rotated weights",
        ),
        (FINE_GRAINED, {}, f"'{WEIGHT}' is F8_E4M3 and has no '{WEIGHT}_scale_inv'"),
        (
            COMPRESSED,
            {f"{WEIGHT}_scale": scales(7, 3)},
            r"is F32 \[7, 3\]; it makes no scales for a weight \[70, 150\]",
        ),
        (
            FINE_GRAINED,
            {f"{WEIGHT}_scale_inv": scales(3, 3)},
            r"is F32 \[3, 3\]; it makes no scales for the weight F8_E4M3 \[70, 150\]",
        ),
    ],
)
def test_what_is_no_scaled_float8_is_refused_from_headers(
    tmp_path: Path, quantization: dict[str, Any], changes: dict[str, Array], message: str
) -> None:
    folder = make_checkpoint(tmp_path / "a", {WEIGHT: codes(), **changes}, {"quantization_config": quantization})
    with pytest.raises(CheckpointError, match=message):
        opened(folder)


def test_scales_of_a_quantized_cache_are_left_out_and_said(tmp_path: Path) -> None:
    cached = {f"model.layers.0.self_attn.{kind}_scale": np.ones(1, np.float32) for kind in "kv"}
    folder = make(tmp_path / "a", "rows")
    make_checkpoint(folder, {**read_folder(folder), **cached}, json.loads((folder / "config.json").read_text()))
    parent = opened(folder)
    plan = plan_merge(Linear(), [parent, parent])
    assert not {planned.name for planned in plan.planned} & cached.keys()
    assert "2 scales of a quantized cache in a do not go into the child" in plan.remarks
    assert plan.rules == 2


def test_a_family_merges_them_with_others_and_recomputes_it(tmp_path: Path) -> None:
    make(tmp_path / "a", "blocks")
    plain = {WEIGHT: random_tensors(5, {WEIGHT: (OUT, WIDTH)})[WEIGHT], NORM: np.ones(WIDTH, np.float32)}
    make_checkpoint(tmp_path / "b", plain)
    text = """
family: f
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  both: {merge: {parents: [a, b], method: linear}}
"""
    with Registry.open(tmp_path / ".lineal" / "registry.db") as registry:
        session = Session(registry, threads=2)
        family = read_family(write_family(tmp_path, text))
        local = run_family(session, family, tmp_path / "models")["both"]
        child = read_folder(local.folder)
        wanted = (expected(FORMS["blocks"][2]) * np.float32(0.5) + plain[WEIGHT] * np.float32(0.5)).astype(np.float32)
        assert child[WEIGHT].tobytes() == wanted.astype(ml_dtypes.bfloat16).tobytes()
        assert "quantization_config" not in json.loads((local.folder / "config.json").read_text())
        verdicts = {v.label: v for v in verify_references(session, [], "f")}
        assert all(verdict.ok for verdict in verdicts.values())
        assert verdicts["both"].recomputed == 2


def test_they_are_quantized_as_the_floats_that_they_stand_for(tmp_path: Path) -> None:
    up = "model.layers.0.mlp.up_proj.weight"
    tensors = llama_tensors(LLAMA)
    stored, scale = tensors[up].astype(ml_dtypes.float8_e4m3fn), scales(96, 1)
    folder = make_llama(tmp_path / "a", quantization_config=COMPRESSED)
    write_safetensors(folder / "model.safetensors", {**tensors, up: stored, f"{up}_scale": scale})
    found, _ = read_gguf(quantize(folder, tmp_path / "q", "q8_0"))
    values = {**tensors, up: stored.astype(np.float32) * scale}
    for name, (kind, raw) in in_gguf(values, LLAMA, "q8_0").items():
        assert found[name][0] == kind
        assert np.array_equal(found[name][1], raw), name


def test_a_family_prunes_them_as_the_floats_that_they_stand_for(tmp_path: Path) -> None:
    make(tmp_path / "a", "blocks")
    pruned = "family: f\nmodels: {a: {original: {path: ./a}}, x: {prune: {parent: a, sparsity: 0.5}}}"
    with Registry.open(tmp_path / ".lineal" / "registry.db") as registry:
        session = Session(registry, threads=2)
        local = run_family(session, read_family(write_family(tmp_path, pruned)), tmp_path / "models")["x"]
        wanted = magnitude(expected(FORMS["blocks"][2]), 0.5, "tensor").astype(np.float32)
        assert read_folder(local.folder)[WEIGHT].tobytes() == wanted.astype(ml_dtypes.bfloat16).tobytes()
        assert "quantization_config" not in json.loads((local.folder / "config.json").read_text())
        (verdict,) = verify_references(session, ["f:x"])
        assert (verdict.ok, verdict.recomputed) == (True, 2)
