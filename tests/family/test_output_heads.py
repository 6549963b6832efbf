"""Output heads that differ from the embedding although the config says tied: transformers keeps both, and so do we."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM

from lineal.derivation.step import Kind
from lineal.engines.inference.language_model import load_model
from lineal.errors import CheckpointError, MethodError
from lineal.family.file.recipe import Reference
from lineal.family.session import Session
from lineal.family.trust.replay import replay
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.lineal_json import read_provenance, write_provenance
from lineal.methods.distill.distill import Distill
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.dare import DareLinear
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.method import Method
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.quantize.gguf import GgufQuantization
from tests.builders import CONFIG, make_adapter, make_checkpoint, random_tensors
from tests.engines.tiny_models import make_model, tokenizer, write_data
from tests.family.conftest import derive_one

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
UP = "model.layers.0.mlp.up_proj"
TOKENS = torch.tensor([[5, 17, 33, 100, 250, 7, 8, 9]])
GEMMA = Gemma2Config(
    vocab_size=300,
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    max_position_embeddings=32,
)


def edited(folder: Path, tensors: dict[str, Tensor], **config: Any) -> Path:
    """The model with more tensors, and other words in its config; None takes one out."""
    stored = {**load_file(folder / "model.safetensors"), **tensors}
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    fields = {**json.loads((folder / "config.json").read_text()), **config}
    written = {key: value for key, value in fields.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(written))
    return folder


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Tied by its config, with a head of its own: what merging an adapter on both left behind."""
    folder = make_model(tmp_path / "parent")
    head = torch.randn(300, 32, generator=torch.Generator().manual_seed(1))
    return edited(folder, {HEAD: head})


def gemma(folder: Path, seed: int, *, head: bool) -> Path:
    """Tied by its architecture: the config does not say so."""
    torch.manual_seed(seed)
    Gemma2ForCausalLM(GEMMA).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    embedding = load_file(folder / "model.safetensors")[EMBEDDING]
    return edited(folder, {HEAD: embedding.clone()} if head else {}, tie_word_embeddings=None)


def logits(folder: Path) -> Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(input_ids=TOKENS).logits


def says(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text()).get("tie_word_embeddings")


def rules(folder: Path) -> int:
    provenance = read_provenance(folder)
    assert provenance is not None
    return provenance.step.rules


@pytest.mark.parametrize(
    ("kind", "method"),
    [("merge", Passthrough()), ("prune", MagnitudePruning(sparsity=0.0))],
)
def test_a_head_of_its_own_goes_into_the_child(
    session: Session, parent: Path, tmp_path: Path, kind: Kind, method: Method
) -> None:
    out = tmp_path / "out"
    derive_one(session, kind, method, [Reference("parent", str(parent))], out)
    assert torch.equal(logits(out), logits(parent))
    assert says(out) is False
    assert rules(out) == 2
    (verdict,) = verify_references(session, [str(out)])
    assert verdict.recomputed == len(load_file(out / "model.safetensors"))


def test_an_adapter_on_such_a_base_becomes_part_of_it(session: Session, parent: Path, tmp_path: Path) -> None:
    pair = (np.ones((1, 32), np.float32), np.full((48, 1), 0.01, np.float32))
    adapter = make_adapter(tmp_path / "adapter", {UP: pair, UP.replace("0", "1"): pair})
    references = [Reference("base", str(parent)), Reference("parent", str(adapter))]
    derive_one(session, "merge", AdapterMerge(), references, tmp_path / "out")
    with torch.no_grad():
        expected = load_model(adapter, parent)(input_ids=TOKENS).logits
    torch.testing.assert_close(logits(tmp_path / "out"), expected, rtol=1e-5, atol=1e-5)


def test_a_gguf_holds_the_head(session: Session, parent: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.gguf"
    derive_one(session, "quantize", GgufQuantization(scheme="f32"), [Reference("parent", str(parent))], file)
    with torch.no_grad():
        found = load_model(file)(input_ids=TOKENS).logits
    torch.testing.assert_close(found, logits(parent), rtol=1e-5, atol=1e-5)


def test_a_step_made_before_is_neither_a_hit_nor_contradicted(session: Session, parent: Path, tmp_path: Path) -> None:
    out, references = tmp_path / "out", [Reference("parent", str(parent))]
    derive_one(session, "merge", Passthrough(), references, out)
    provenance = read_provenance(out)
    assert provenance is not None
    old = replace(provenance, step=replace(provenance.step, rules=1))
    with pytest.raises(MethodError, match="it was made under rules 1, and this lineal would make it under 2"):
        replay(session, old.step, "out")
    write_provenance(out, old)
    derive_one(session, "merge", Passthrough(), references, out)
    assert rules(out) == 2


def test_a_copy_of_the_embedding_goes_under_the_rules_as_they_were(session: Session, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "parent")
    embedding = load_file(folder / "model.safetensors")[EMBEDDING]
    edited(folder, {HEAD: embedding.clone()})
    out = tmp_path / "out"
    derive_one(session, "merge", Passthrough(), [Reference("parent", str(folder))], out)
    assert HEAD not in load_file(out / "model.safetensors")
    assert (out / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert rules(out) == 1


def test_models_of_a_tied_architecture_merge_whether_they_store_the_copy_or_not(
    session: Session, tmp_path: Path
) -> None:
    base, tuned = gemma(tmp_path / "base", 1, head=False), gemma(tmp_path / "tuned", 2, head=True)
    out = tmp_path / "out"
    derive_one(session, "merge", Linear(), [Reference("parent", str(base)), Reference("parent", str(tuned))], out)
    child = load_file(out / "model.safetensors")
    means = [load_file(folder / "model.safetensors")[EMBEDDING] / 2 for folder in (base, tuned)]
    torch.testing.assert_close(child[EMBEDDING], means[0] + means[1])
    assert HEAD not in child
    assert says(out) is None


def test_random_methods_do_not_untie_what_is_tied(session: Session, tmp_path: Path) -> None:
    base, tuned = gemma(tmp_path / "base", 1, head=True), gemma(tmp_path / "tuned", 2, head=True)
    references = [Reference("base", str(base)), Reference("parent", str(tuned))]
    derive_one(session, "merge", DareLinear(density=0.5), references, tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert rules(tmp_path / "out") == 2  # rules 1 merged each copy with random numbers of its own


def test_where_one_parent_has_a_head_the_embedding_is_that_of_a_tied_one(
    session: Session, parent: Path, tmp_path: Path
) -> None:
    tied, out = make_model(tmp_path / "tied", 3), tmp_path / "out"
    references = [Reference("parent", str(tied)), Reference("parent", str(parent))]
    derive_one(session, "merge", Linear(), references, out)
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (tied, parent))
    child = load_file(out / "model.safetensors")
    torch.testing.assert_close(child[HEAD], (ours[EMBEDDING] + theirs[HEAD]) / 2)
    torch.testing.assert_close(child[EMBEDDING], (ours[EMBEDDING] + theirs[EMBEDDING]) / 2)
    assert says(out) is False


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("fine-tune", FullFineTune(sequence_length=16, tokens=32, learning_rate=1e-9)),
        ("distillation", Distill(sequence_length=16, tokens=32, learning_rate=1e-9, layers=1)),
    ],
)
def test_a_training_keeps_the_head(session: Session, parent: Path, tmp_path: Path, kind: Kind, method: Method) -> None:
    data, out = write_data(tmp_path / "data.jsonl", count=4), tmp_path / "out"
    references = [Reference("student" if kind == "distillation" else "parent", str(parent))]
    references += [Reference("teacher", str(parent))] if kind == "distillation" else []
    derive_one(session, kind, method, references, out, data=[data])
    child, stored = (load_file(folder / "model.safetensors") for folder in (out, parent))
    for name in (HEAD, EMBEDDING):
        torch.testing.assert_close(child[name], stored[name], rtol=0, atol=1e-6)
    assert says(out) is False
    assert rules(out) == 2


def test_of_an_encoder_and_decoder_it_is_refused(session: Session, tmp_path: Path) -> None:
    tensors = random_tensors(1, {"shared.weight": (8, 4), HEAD: (8, 4)})
    config = {**CONFIG, "model_type": "t5", "is_encoder_decoder": True, "tie_word_embeddings": True}
    folder = make_checkpoint(tmp_path / "t5", tensors, config)
    with pytest.raises(CheckpointError, match=r"its config ties 'lm_head\.weight' to the embedding, and it differs"):
        derive_one(session, "merge", Passthrough(), [Reference("parent", str(folder))], tmp_path / "out")
