"""Folders of quantized weights through the verbs, as the values that they stand for: bitsandbytes, GPTQ and AWQ."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.checkpoint.quantized.scheme import stored_type
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.inference.generate import generate
from lineal.engines.inference.language_model import load_model
from lineal.engines.parents.model import full_model
from lineal.errors import CheckpointError
from lineal.family.build.evaluation import evaluate_model
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.origin.adopt import explain
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_references
from tests.builders import Array, make_checkpoint, read_folder
from tests.engines.tiny_models import make_model, write_data
from tests.family.conftest import write_family
from tests.reference.bitsandbytes import SETTINGS, four_bits, int8
from tests.reference.gptq_layout import AWQ_SETTINGS, awq, gptq, gptq_settings

Coder = Callable[[str, Array], tuple[dict[str, Array], Array]]

FORMATS: dict[str, tuple[Coder, Any]] = {
    "nf4": (lambda name, values: four_bits(name, values, nested=True), SETTINGS["nf4"]),
    "nf4 in bfloat16": (
        lambda name, values: four_bits(name, values, block=128, storage=ml_dtypes.bfloat16),
        SETTINGS["nf4"],
    ),
    "fp4": (lambda name, values: four_bits(name, values, "fp4"), SETTINGS["fp4"]),
    "int8": (int8, SETTINGS["int8"]),
    "gptq": (lambda name, values: gptq(name, values, sym=True), gptq_settings(sym=True)),
    "gptq, 3 bits in order of activations": (
        lambda name, values: gptq(name, values, 3, order=True),
        gptq_settings(3, order=True),
    ),
    "gptq_v2, 8 bits": (lambda name, values: gptq(name, values, 8, v1=False), gptq_settings(8, v1=False)),
    "gptq, 2 bits": (lambda name, values: gptq(name, values, 2), gptq_settings(2)),
    "awq": (awq, AWQ_SETTINGS),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("parent") / "m", hidden_size=64, intermediate_size=96)


def quantized(model: Path, folder: Path, form: str) -> dict[str, Array]:
    """The model's linear layers in a format, beside a folder of what is read of that in float32, `values`."""
    code, settings = FORMATS[form]
    stored: dict[str, Array] = {}
    values: dict[str, Array] = {}
    for name, tensor in read_folder(model).items():
        if not name.endswith("_proj.weight"):
            stored[name] = values[name] = tensor
            continue
        tensors, values[name] = code(name, tensor.astype(np.float32))
        stored |= tensors
    config = {**json.loads((model / "config.json").read_text()), "dtype": "float32"}
    for at, tensors, fields in (
        (folder / "q", stored, {**config, "quantization_config": settings}),
        (folder / "values", values, config),
    ):
        shutil.copytree(model, at)
        make_checkpoint(at, tensors, fields)
    return values


SHORT = "data: text.jsonl, sequence_length: 16, tokens: 64, batch_size: 2"


def built(session: Session, at: Path, models: str) -> dict[str, LocalModel]:
    write_data(at / "text.jsonl", count=10)
    return dict(run_family(session, read_family(write_family(at, f"family: f\nmodels:\n{models}")), at / "models"))


@pytest.mark.parametrize("form", list(FORMATS))
def test_a_merge_reads_the_values_that_the_codes_stand_for(
    session: Session, model: Path, tmp_path: Path, form: str
) -> None:
    values = quantized(model, tmp_path, form)
    text = """
  q: {original: {path: ./q}}
  m: {original: {path: ./m}}
  same: {merge: {parents: [q], method: passthrough}}
  both: {merge: {parents: [q, m], method: linear}}
"""
    before = read_folder(shutil.copytree(model, tmp_path / "m"))
    local = built(session, tmp_path, text)
    child, both = read_folder(local["same"].folder), read_folder(local["both"].folder)
    half = np.float32(0.5)
    assert {name: t.tobytes() for name, t in child.items()} == {name: t.tobytes() for name, t in values.items()}
    assert all(np.array_equal(both[name], half * values[name] + half * before[name]) for name in values)
    assert "quantization_config" not in json.loads((local["same"].folder / "config.json").read_text())
    verdicts = {verdict.label: verdict for verdict in verify_references(session, [], "f")}
    assert all(verdict.ok for verdict in verdicts.values()), verdicts
    assert verdicts["both"].recomputed == len(values)
    loaded, wanted = (load_model(tmp_path / name).state_dict() for name in ("q", "values"))
    assert all(torch.equal(loaded[name], tensor) for name, tensor in wanted.items())


TRAINED = f"""
  q: {{original: {{path: ./q}}}}
  values: {{original: {{path: ./values}}}}
  lora-q: {{finetune: {{parent: q, method: lora, rank: 2, {SHORT}}}}}
  lora-values: {{finetune: {{parent: values, method: lora, rank: 2, {SHORT}}}}}
  full-q: {{finetune: {{parent: q, method: full, {SHORT}}}}}
  full-values: {{finetune: {{parent: values, method: full, {SHORT}}}}}
  small-q: {{distill: {{teachers: [q], student: {{parent: q, layers: 1}}, {SHORT}}}}}
  small-values: {{distill: {{teachers: [values], student: {{parent: values, layers: 1}}, {SHORT}}}}}
  merged-q: {{merge: {{parents: [lora-q], method: adapter}}}}
  merged-values: {{merge: {{parents: [lora-values], method: adapter}}}}
  again: {{finetune: {{parent: lora-q, method: full, {SHORT}}}}}
"""


@pytest.mark.parametrize("form", ["nf4", "gptq, 3 bits in order of activations"])
def test_a_training_on_codes_gives_the_weights_that_one_on_their_values_gives(
    session: Session, model: Path, tmp_path: Path, form: str
) -> None:
    quantized(model, tmp_path, form)
    write_data(tmp_path / "text.jsonl", count=10)
    family = read_family(write_family(tmp_path, f"family: f\nmodels:\n{TRAINED}"))
    plans = {plan.name: plan for plan in plan_family(session, family, tmp_path / "models")}
    local = built(session, tmp_path, TRAINED)
    for kind in ("lora", "full", "small", "merged"):
        ours, theirs = (read_folder(local[f"{kind}-{parent}"].folder) for parent in ("q", "values"))
        assert {name: t.tobytes() for name, t in ours.items()} == {name: t.tobytes() for name, t in theirs.items()}
    for name, plan in plans.items():
        if name != "q":
            found = local[name].checkpoint
            assert (plan.parameters, plan.tensor_bytes) == (parameters_of(found), found.tensor_bytes), name
    for name in ("full-q", "small-q", "merged-q", "again"):
        assert "quantization_config" not in json.loads((local[name].folder / "config.json").read_text())


def test_an_adapter_merged_into_codes_gives_the_logits_that_it_gives_on_them(
    session: Session, model: Path, tmp_path: Path
) -> None:
    quantized(model, tmp_path, "nf4")
    text = f"""
  q: {{original: {{path: ./q}}}}
  lora: {{finetune: {{parent: q, method: lora, rank: 2, learning_rate: 0.1, {SHORT}}}}}
  merged: {{merge: {{parents: [lora], method: adapter}}}}
"""
    local = built(session, tmp_path, text)
    adapted = load_model(local["lora"].folder, tmp_path / "q")
    tokens = torch.arange(8)[None]
    with torch.no_grad():
        plain, ours, merged = (
            one(tokens).logits for one in (load_model(tmp_path / "q"), adapted, load_model(local["merged"].folder))
        )
    assert torch.allclose(ours, merged, rtol=0, atol=1e-5)
    assert not torch.allclose(ours, plain, rtol=0, atol=1e-2)
    adapter = session.find("f:lora")
    assert adapter.base is not None
    (of_adapter,) = evaluate_model(session, adapter, {"t": tmp_path / "text.jsonl"})
    (of_merged,) = evaluate_model(session, session.find("f:merged"), {"t": tmp_path / "text.jsonl"})
    assert of_adapter.perplexity == pytest.approx(of_merged.perplexity, rel=1e-5)
    assert "".join(generate(adapter.path, "a model", 3, base_folder_for_adapter=adapter.base.path))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (SETTINGS["int8"], "int8"),
        (SETTINGS["nf4"], "nf4"),
        (SETTINGS["fp4"], "fp4"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "fp4"),
        (gptq_settings(3), "int3"),
        (AWQ_SETTINGS, "int4"),
        ({"quant_method": "awq", "w_bit": 4}, "int4"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "hqq"}, "dynamic"),
        ({"config_groups": {"a": {"weights": {"type": "int", "num_bits": 4}}}}, "int4"),
        ({"config_groups": {"a": {"weights": {"type": "float", "num_bits": 8}}}}, "fp8"),
        ({"config_groups": {"a": {"weights": {"num_bits": 4}}}, "format": "nvfp4-pack-quantized"}, "nvfp4"),
        ({"config_groups": {"a": {"weights": {"num_bits": 4}, "format": "mxfp4-pack-quantized"}}}, "mxfp4"),
        ({"config_groups": {n: {"weights": {"type": "int", "num_bits": n}} for n in (4, 8)}}, "dynamic"),
        ({"config_groups": [1]}, "dynamic"),
    ],
)
def test_a_config_says_what_type_weights_are_quantized_to(settings: dict[str, Any], name: str) -> None:
    assert stored_type(settings) == name


@pytest.mark.parametrize("form", ["nf4", "fp4", "gptq, 2 bits"])
def test_a_folder_of_codes_is_adopted_as_a_quantization(
    session: Session, model: Path, tmp_path: Path, form: str
) -> None:
    quantized(model, tmp_path, form)
    shutil.copytree(model, tmp_path / "m")
    _ = built(session, tmp_path, "  m: {original: {path: ./m}}\n")
    best = explain(session, f"{tmp_path / 'q'}").best
    assert best is not None
    assert [one.label for _, one in best.inputs] == ["m"]
    kind = stored_type(FORMATS[form][1])
    assert (best.step.type, best.step.options) == ("quantize", {"scheme": kind})


def changed(folder: Path, name: str, tensor: Array | None, **settings: Any) -> Path:
    """The folder with another tensor, or without it, and with other settings."""
    tensors = {key: value for key, value in read_folder(folder).items() if key != name}
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] |= settings
    return make_checkpoint(folder, tensors if tensor is None else {**tensors, name: tensor}, config)


UP = "model.layers.0.mlp.up_proj"
STATE = f"{UP}.weight.quant_state.bitsandbytes__fp4"


def state(**changes: Any) -> Array:
    stated = {"quant_type": "fp4", "blocksize": 64, "dtype": "bfloat16", "shape": [96, 64], **changes}
    return np.frombuffer(json.dumps(stated).encode(), np.uint8)


@pytest.mark.parametrize(
    ("form", "name", "tensor", "settings", "message"),
    [
        ("fp4", f"{UP}.weight.absmax", None, {}, f"q: '{UP}.weight' has no '{UP}.weight.absmax'"),
        ("fp4", f"{UP}.weight.absmax", np.ones(5, np.float32), {}, r"F32 \[5\]; the scales of 96 blocks are F32"),
        ("fp4", f"{UP}.weight.quant_map", np.ones(16, np.float32), {}, "holds other values than fp4's"),
        ("fp4", STATE, state(shape=[96, 65]), {}, "which is 3120 bytes of codes"),
        ("fp4", STATE, state(shape=[96, -64]), {}, "says shape"),
        ("fp4", STATE, state(shape=96), {}, "says shape"),
        ("fp4", STATE, state(blocksize=63), {}, "says blocksize '63'"),
        ("fp4", STATE, state(quant_type="nf4"), {}, "says quant_type 'nf4'"),
        ("fp4", STATE, state(nested_blocksize=256), {}, "codes themselves"),
        ("fp4", STATE, np.zeros(9, np.uint8), {}, "is not a JSON object"),
        ("fp4", STATE, np.zeros(70000, np.uint8), {}, "at most 65536 bytes"),
        ("fp4", STATE, None, {}, "is U8, which are codes, and nothing says of what"),
        ("int8", f"{UP}.SCB", None, {}, "is I8, which are codes, and nothing says of what"),
        ("int8", f"{UP}.SCB", np.ones(5, np.float32), {}, r"F32 \[5\]; the magnitudes of"),
        ("int8", f"{UP}.weight_format", np.array(2, np.uint8), {}, "weight_format' is 2; only rows"),
        ("gptq", f"{UP}.g_idx", np.full(64, 7, np.int32), {}, "g_idx' names group 7 of 2"),
        ("gptq", f"{UP}.g_idx", np.full(64, -1, np.int32), {}, "g_idx' names group -1 of 2"),
        ("gptq", f"{UP}.qzeros", None, {}, f"'{UP}.qweight' has no '{UP}.qzeros'"),
        ("gptq", f"{UP}.scales", np.ones((2, 5), np.float16), {}, r"F16 \[2, 5\]; scales of .* are \[groups, 96\]"),
        ("gptq", "", None, {"bits": 3}, "that makes no codes of 3 bits"),
        ("gptq", "", None, {"bits": 5}, "is GPTQ of 5 bits"),
        ("gptq", "", None, {"checkpoint_format": "marlin"}, "is GPTQ in the format 'marlin'"),
        ("gptq", f"{UP}.weight", np.ones((96, 64), np.float32), {}, "one weight twice"),
        ("gptq_v2, 8 bits", "", None, {"checkpoint_format": "gptq", "bits": 4}, "makes no codes of 4 bits"),
        ("awq", "", None, {"version": "gemv"}, "is AWQ in the format 'gemv'"),
        ("awq", "", None, {"bits": 8}, "is AWQ of 8 bits"),
        ("awq", "", None, {"group_size": 40}, "96 inputs are no whole groups of 40"),
        ("awq", f"{UP}.qzeros", np.ones((1, 12), np.int32), {}, r"I32 \[1, 12\]; zero points of"),
    ],
)  # fmt: skip
def test_what_is_not_as_its_format_has_it_is_refused(
    model: Path, tmp_path: Path, form: str, name: str, tensor: Array | None, settings: dict[str, Any], message: str
) -> None:
    quantized(model, tmp_path, form)
    folder = changed(tmp_path / "q", name, tensor, **settings)
    with pytest.raises(CheckpointError, match=message):
        load_model(folder)


def test_zeros_that_transformers_moved_are_refused_by_name(model: Path, tmp_path: Path) -> None:
    quantized(model, tmp_path, "gptq")
    zeros = np.full((2, 12), 0x88888888, np.uint32).view(np.int32)
    folder = changed(tmp_path / "q", f"{UP}.qzeros", zeros)
    with pytest.raises(CheckpointError, match=r"one too high for symmetric weights: .*checkpoint_format"):
        load_model(folder)
    _ = full_model("q", open_checkpoint(folder))
