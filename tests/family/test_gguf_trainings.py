"""What is trained on a GGUF, as what is trained on the folder of the same weights."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.engines.inference.generate import generate
from lineal.engines.inference.language_model import load_model
from lineal.errors import CheckpointError, MethodError
from lineal.family.build.evaluation import evaluate_model
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_references
from tests.builders import read_folder
from tests.engines.tiny_models import make_model, write_data
from tests.family.conftest import write_family
from tests.family.test_gguf_parents import HEADS, expected

SHORT = "data: text.jsonl, sequence_length: 16, tokens: 64, batch_size: 2"
FAMILY = f"""
family: small
models:
  m: {{original: {{path: ./m}}}}
  q.gguf: {{quantize: {{parent: m, scheme: f32}}}}
  lora-m: {{finetune: {{parent: m, method: lora, rank: 2, {SHORT}}}}}
  lora-q: {{finetune: {{parent: q.gguf, method: lora, rank: 2, {SHORT}}}}}
  full-m: {{finetune: {{parent: m, method: full, {SHORT}}}}}
  full-q: {{finetune: {{parent: q.gguf, method: full, {SHORT}}}}}
  small-m: {{distill: {{teachers: [m], student: {{parent: m, layers: 1}}, {SHORT}}}}}
  small-q: {{distill: {{teachers: [q.gguf], student: {{parent: q.gguf, layers: 1}}, {SHORT}}}}}
  taught: {{distill: {{teachers: [q.gguf], student: m, {SHORT}}}}}
  further: {{finetune: {{parent: small-q, method: full, {SHORT}}}}}
  merged-m: {{merge: {{parents: [lora-m], method: adapter}}}}
  merged-q: {{merge: {{parents: [lora-q], method: adapter}}}}
  again: {{finetune: {{parent: lora-q, method: full, {SHORT}}}}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(
        tmp_path_factory.mktemp("parent") / "m",
        hidden_size=64,
        intermediate_size=96,
        num_attention_heads=HEADS["q_proj"],
        num_key_value_heads=HEADS["k_proj"],
    )


def built(session: Session, model: Path, at: Path, text: str = FAMILY) -> dict[str, LocalModel]:
    shutil.copytree(model, at / "m", dirs_exist_ok=True)
    write_data(at / "text.jsonl", count=10)
    return dict(run_family(session, read_family(write_family(at, text)), at / "models"))


def test_a_training_on_a_gguf_gives_the_weights_that_one_on_its_values_gives(
    session: Session, model: Path, tmp_path: Path
) -> None:
    local = built(session, model, tmp_path)
    for kind in ("lora", "full", "small", "merged"):
        ours, theirs = (read_folder(local[f"{kind}-{parent}"].folder) for parent in "qm")
        assert {name: t.tobytes() for name, t in ours.items()} == {name: t.tobytes() for name, t in theirs.items()}
    for name in ("full-q", "small-q", "merged-q", "further", "again", "taught"):
        folder = local[name].folder
        assert (folder / "tokenizer.json").is_file()
        loaded = load_model(folder)
        assert loaded.config.to_dict()["num_hidden_layers"] == (1 if name in ("small-q", "further") else 2)


def test_the_steps_name_the_gguf_and_the_verbs_take_what_came_of_it(
    session: Session, model: Path, tmp_path: Path
) -> None:
    local = built(session, model, tmp_path, FAMILY.replace("f32", "q8_0"))
    settings = json.loads((local["lora-q"].folder / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "small:q.gguf"
    for name, roles in {"lora-q": ["parent"], "full-q": ["parent"], "small-q": ["teacher", "student"]}.items():
        (record, *_) = session.registry.steps_of(local[name].model_hash)
        assert [used.role for used in record.step.inputs] == roles
        assert {used.model_hash for used in record.step.inputs} == {local["q.gguf"].model_hash}
    verdicts = {verdict.label: verdict for verdict in verify_references(session, [], "small")}
    assert all(verdict.ok for verdict in verdicts.values()), verdicts
    assert verdicts["merged-q"].recomputed == len(local["merged-q"].checkpoint)
    adapter = session.find("small:lora-q")
    assert adapter.base is not None
    assert adapter.base.path == local["q.gguf"].path
    (of_adapter,) = evaluate_model(session, adapter, {"t": tmp_path / "text.jsonl"})
    (of_merged,) = evaluate_model(session, session.find("small:merged-q"), {"t": tmp_path / "text.jsonl"})
    assert of_adapter.perplexity == pytest.approx(of_merged.perplexity, rel=1e-3)  # stored in float16
    assert of_adapter.reference == local["q.gguf"].model_hash
    assert "".join(generate(adapter.path, "a model", 3, base_folder_for_adapter=adapter.base.path))


def test_a_second_run_trains_nothing_anew(session: Session, model: Path, tmp_path: Path) -> None:
    local = built(session, model, tmp_path)
    written = {name: one.path.stat().st_mtime_ns for name, one in local.items()}
    assert {name: one.path.stat().st_mtime_ns for name, one in built(session, model, tmp_path).items()} == written


def test_a_plan_knows_what_a_training_on_a_gguf_writes(session: Session, model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "m")
    write_data(tmp_path / "text.jsonl", count=10)
    family = read_family(write_family(tmp_path, FAMILY))
    before = {plan.name: plan for plan in plan_family(session, family, tmp_path / "models")}
    run_family(session, family, tmp_path / "models", ["q.gguf"])
    between = {plan.name: plan for plan in plan_family(session, family, tmp_path / "models")}
    made = run_family(session, family, tmp_path / "models")
    for name, local in made.items():
        found = local.checkpoint
        for plan in (before[name], between[name]):
            assert (plan.parameters, plan.tensor_bytes) == (parameters_of(found), found.tensor_bytes), name


def test_what_is_in_blocks_is_trained_in_float32_and_stored_as_float16(
    session: Session, model: Path, tmp_path: Path
) -> None:
    text = f"""
family: small
models:
  m: {{original: {{path: ./m}}}}
  q.gguf: {{quantize: {{parent: m, scheme: q8_0}}}}
  whole: {{merge: {{parents: [q.gguf], method: passthrough}}}}
  still: {{finetune: {{parent: q.gguf, method: full, learning_rate: 1.0e-30, {SHORT}}}}}
"""
    local = built(session, model, tmp_path, text)
    child, whole = read_folder(local["still"].folder), read_folder(local["whole"].folder)
    assert {name: t.dtype for name, t in child.items()} == {name: t.dtype for name, t in whole.items()}
    assert all(np.array_equal(child[name], whole[name]) for name in whole)
    loaded = load_model(local["q.gguf"].path).state_dict()
    for name, values in expected(local["q.gguf"].path, list(child)).items():
        assert torch.equal(loaded[name], torch.from_numpy(values.copy())), name
    assert load_file(local["still"].folder / "model.safetensors")["model.norm.weight"].dtype == torch.float32


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (f"finetune: {{parent: q.gguf, method: full, {SHORT.replace('16', '64')}}}", "sequence_length 64 is more than"),
        (f"distill: {{teachers: [q.gguf], student: {{parent: q.gguf, layers: 3}}, {SHORT}}}", "layers 3 is more than"),
        (f"distill: {{teachers: [q.gguf], student: other, {SHORT}}}", "tokenizers of the student"),
    ],
)
def test_what_does_not_fit_a_gguf_is_told_before_anything_is_trained(
    session: Session, model: Path, tmp_path: Path, step: str, message: str
) -> None:
    built(session, model, tmp_path, "\n".join(FAMILY.splitlines()[:5]))
    other = Path(shutil.copytree(model, tmp_path / "other"))
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    first, second = sorted(vocabulary, key=lambda token: vocabulary[token])[40:42]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    text = "\n".join([*FAMILY.splitlines()[:5], "  other: {original: {path: ./other}}", f"  x: {{{step}}}"])
    with pytest.raises((CheckpointError, MethodError), match=message):
        run_family(session, read_family(write_family(tmp_path, text)), tmp_path / "models")
    assert not (tmp_path / "models" / "x").exists()
