"""Folders made by each format's own library, through every verb: what comes in is what that library dequantizes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.inference.language_model import load_model
from lineal.engines.parents.model import full_model
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.whole import whole
from lineal.family.build.evaluation import evaluate_model
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.origin.adopt import explain
from lineal.family.origin.distance import measure
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.registry import Registry
from tests.builders import Array, read_folder, read_safetensors
from tests.engines.tiny_models import VOCABULARY, make_model, tokenizer, write_data
from tests.family.conftest import write_family
from tests.peers.quantized import MAKERS, MIXTURES

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / "build" / "peers" / "quantized" / "bin" / "python"
CASES = [*MAKERS, *(f"mixture/{name}" for name in MIXTURES)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of quantized folders, with those of mixtures in a folder of their own, and the bases of both."""
    if not PYTHON.exists():
        pytest.fail(f"no {PYTHON}: `make test-peers` builds it")
    at = tmp_path_factory.mktemp("quantized")
    make_model(at / "base", hidden_size=128, intermediate_size=256, tie_word_embeddings=False)
    _make_mixture(at / "mixture" / "base")
    for folder, makers in ((at, MAKERS), (at / "mixture", MIXTURES)):
        question = {"base": f"{folder / 'base'}", "out": f"{folder}", "makers": makers}
        done = subprocess.run(
            [PYTHON, HERE / "formats" / "make.py"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
    return at


def _make_mixture(folder: Path) -> None:
    torch.manual_seed(3)
    sizes = {"hidden_size": 128, "intermediate_size": 128, "moe_intermediate_size": 128, "head_dim": 32}
    counts = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 4}
    config = Qwen3MoeConfig(
        **sizes,
        **counts,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        vocab_size=VOCABULARY,
        max_position_embeddings=32,
        eos_token_id=0,
    )
    model = Qwen3MoeForCausalLM(config)
    for parameter in model.parameters():
        parameter.data.mul_(3)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def values_of(folder: Path) -> dict[str, Array]:
    """What the library dequantizes."""
    return read_safetensors(folder.with_name(f"{folder.name}.values.safetensors"))


def stored_as(array: Array, like: Array) -> bytes:
    return array.astype(np.float32).astype(like.dtype).tobytes()


def check_equal(child: dict[str, Array], values: dict[str, Array]) -> None:
    """A training that changes next to nothing makes of a zero something next to it."""
    for name, value in values.items():
        found = np.where(abs(child[name].astype(np.float32)) < NOTHING, 0, child[name].astype(np.float32))
        assert np.array_equal(found, value.astype(np.float32).astype(child[name].dtype).astype(np.float32)), name


NOTHING = 1e-25
"""Below this is what a training at STILL's learning rate makes of zeros."""

STILL = "data: text.jsonl, sequence_length: 16, tokens: 32, batch_size: 2, learning_rate: 1.0e-30"
FAMILY = f"""
family: f
models:
  base: {{original: {{path: ./base}}}}
  q: {{original: {{path: ./q}}}}
  same: {{merge: {{parents: [q], method: passthrough}}}}
  lora: {{finetune: {{parent: q, method: lora, rank: 2, {STILL.replace("1.0e-30", "0.05")}}}}}
  merged: {{merge: {{parents: [lora], method: adapter}}}}
  still: {{finetune: {{parent: q, method: full, {STILL}}}}}
  student: {{distill: {{teachers: [q], student: q, {STILL}}}}}
"""
BY_ROLES = """
  pruned: {prune: {parent: q, sparsity: 0.5}}
  file.gguf: {quantize: {parent: q, scheme: SCHEME}}
"""
SCHEMES = {np.dtype(ml_dtypes.bfloat16): "bf16", np.dtype(np.float16): "f16", np.dtype(np.float32): "f32"}


@pytest.mark.parametrize("case", CASES)
def test_every_verb_takes_the_values_that_the_library_dequantizes(made: Path, tmp_path: Path, case: str) -> None:
    parent = made / case
    values = values_of(parent)
    write_data(tmp_path / "text.jsonl", count=10)
    for name, place in {"q": parent, "base": parent.with_name("base")}.items():
        (tmp_path / name).symlink_to(place)
    scheme = SCHEMES[next(iter(values.values())).dtype]
    text = FAMILY if case == "gpt_oss" else FAMILY + BY_ROLES.replace("SCHEME", scheme)
    with Registry.open(tmp_path / "registry.db") as registry:
        session = Session(registry, threads=2)
        local = dict(run_family(session, read_family(write_family(tmp_path, text)), tmp_path / "models"))
        children = {name: read_folder(local[name].folder) for name in ("same", "still", "student")}
        for name in ("same", "still", "student"):
            check_equal(children[name], values)
            assert "quantization_config" not in json.loads((local[name].folder / "config.json").read_text())
        if case != "gpt_oss":
            _check_pruned(read_folder(local["pruned"].folder), values)
            _check_file(local["file.gguf"], values)
        _check_run(session, local, tmp_path / "text.jsonl", values)
        for one in measure(session, local["q"].model_hash, local["same"].model_hash):
            assert one.relative <= 2**-8, one  # sixteen bits
        verdicts = {verdict.label: verdict for verdict in verify_references(session, [], "f")}
        assert all(verdict.ok for verdict in verdicts.values()), verdicts


def _check_pruned(child: dict[str, Array], values: dict[str, Array]) -> None:
    """Of few bits more than half may be zero before."""
    for name, value in values.items():
        kept = child[name] != 0
        assert 0.9 * min(0.5, (value != 0).mean()) <= kept.mean() <= 0.5 + 1 / kept.size, name
        assert np.array_equal(child[name][kept], value.astype(np.float32).astype(child[name].dtype)[kept]), name


def _check_file(file: LocalModel, values: dict[str, Array]) -> None:
    model = full_model("file", open_checkpoint(file.path))
    with OpenFiles() as files:
        for name, value in values.items():
            assert np.array_equal(whole(model.sources[name], files), value.astype(np.float32)), name


def _check_run(session: Session, local: dict[str, LocalModel], text: Path, values: dict[str, Array]) -> None:
    """The model as it is run; and an adapter on it, as one and merged."""
    loaded = load_model(local["q"].path)
    state: dict[str, Any] = dict(loaded.state_dict())
    for name, value in values.items():
        if name in state:  # transformers fuses experts
            assert stored_as(state[name].numpy(), value) == value.tobytes(), name
    adapter = session.find("f:lora")
    assert adapter.base is not None
    adapted = load_model(adapter.path, adapter.base.path)
    tokens = torch.arange(8)[None]
    with torch.no_grad():
        plain, ours, merged = (one(tokens).logits for one in (loaded, adapted, load_model(local["merged"].folder)))
    change, error = (ours - plain).abs().max(), (ours - merged).abs().max()
    assert error < 0.05 * change, (error, change)  # the merged one is stored in sixteen bits
    (of_q,) = evaluate_model(session, session.find("f:q"), {"t": text})
    (of_same,) = evaluate_model(session, session.find("f:same"), {"t": text})
    assert of_q.perplexity == pytest.approx(of_same.perplexity, rel=0.02)


def test_a_quantized_folder_is_adopted_by_what_it_was_made_from(made: Path, tmp_path: Path) -> None:
    with Registry.open(tmp_path / "registry.db") as registry:
        session = Session(registry, threads=2)
        (tmp_path / "base").symlink_to(made / "base")
        text = "family: f\nmodels:\n  base: {original: {path: ./base}}\n"
        _ = run_family(session, read_family(write_family(tmp_path, text)), tmp_path / "models")
        for case in MAKERS:
            if case != "gpt_oss":
                answer = explain(session, f"{made / case}")
                assert answer.best is not None, case
                assert [one.label for _, one in answer.best.inputs] == ["base"], (case, answer.best)
