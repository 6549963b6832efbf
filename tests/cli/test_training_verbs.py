"""The verbs that train and score, as their users meet them, with models of a few thousand parameters."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.reader import open_checkpoint
from tests.cli.conftest import Command
from tests.engines.tiny_models import POSITIONS, VOCABULARY, make_model, tokenizer, write_data
from tests.walk.tiny import tiny_config

SHORT = ("--sequence-length", str(POSITIONS), "--batch-size", "4", "--tokens", "640")


@pytest.fixture
def trained(lineal: Command) -> Command:
    """The same folder, with two teachers of four blocks and a text."""
    for seed in (1, 2):
        make_model(Path(f"teacher{seed}"), seed, num_hidden_layers=4)
    write_data(Path("text.jsonl"))
    return lineal


def test_a_student_is_distilled_from_two_teachers_and_its_record_names_them(trained: Command) -> None:
    structured = "{layer_mapping: [[0, 1], [1, 3]], hidden_weight: 0.5}"
    words = ("distill", "./teacher1", "./teacher2", "--student", "./teacher1", "--layers", "2", "--data", "text.jsonl")
    answer = trained(*words, "--weights", "3,1", "--progressive", structured, *SHORT, "--out", "small")
    assert (answer.code, answer.out.split()[0]) == (0, str(Path("small").resolve()))
    record = json.loads(Path("small/lineal.json").read_text())
    assert record["derivation"]["type"] == "distillation"
    assert [(i["role"], i["name"]) for i in record["inputs"]] == [
        ("teacher", "teacher1"),
        ("teacher", "teacher2"),
        ("student", "teacher1"),
    ]
    options = record["step"]["options"]
    assert options["progressive"] == {"layer_mapping": [[0, 1], [1, 3]], "hidden_weight": 0.5, "form": "mse"}
    assert (options["layers"], options["weights"]) == (2, [3.0, 1.0])
    assert (
        "up to date" in trained(*words, "--weights", "3,1", "--progressive", structured, *SHORT, "--out", "small").err
    )
    verdict = trained("verify", "./small")
    assert verdict.code == 0
    assert "distill is statistical, not exact" in verdict.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--layers", "5"), "distill: layers 5 is more than the 4 blocks of the parent"),
        (("--temperature", "0"), "distillation: temperature must be finite and above 0, got 0"),
        (("--alpha", "2"), "distillation: alpha must be in [0, 1], got 2"),
        (("--weights", "1,1"), "distill: 2 weights for 1 teachers"),
        (("--progressive", "{layer_mapping: [[0"), "distill: --progressive '{layer_mapping: [[0' is not YAML"),
        (("--progressive", "{layer_mapping: [[0, 9]]}"), "teacher layer 9 of the pair (0, 9) is not in [0, 4)"),
    ],
)
def test_a_distillation_that_cannot_be_is_one_line(trained: Command, words: tuple[str, ...], message: str) -> None:
    given = ("distill", "./teacher1", "--student", "./teacher2", "--data", "text.jsonl", *SHORT, "--out", "small")
    answer = trained(*given, *words)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not list(Path().glob("*small*"))


def test_texts_of_one_name_are_told_apart_by_their_folders(trained: Command) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir(exist_ok=True)
        Path(f"{folder}/e.txt").write_text(f"a model is derived from another {folder * 9}")
    answer = trained("eval", "./teacher1", "--data", "a/e.txt", "--data", "b/e.txt", "--json")
    assert sorted(score["text"] for score in json.loads(answer.out)) == ["a/e.txt", "b/e.txt"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{model_type: llama, hidden_sise: 8}", "a llama has no 'hidden_sise' (did you mean hidden_size?)"),
        ("{model_type: lama}", "transformers has no model_type 'lama'"),
        ("{model_type: llama, hidden_size: 32, num_attention_heads: 3}", "train: config: "),
        ("{model_type: llama, hidden_size: 32, num_attention_heads: 2, max_position_embeddings: 16}", "16 positions"),
    ],
)
def test_a_plan_refuses_what_the_training_would(trained: Command, config: str, message: str) -> None:
    training = f"{{config: {config}, data: text.jsonl, tokenizer: {{train: {{vocab_size: 300}}}}}}"
    Path("family.yaml").write_text(f"models: {{base: {{original: {{train: {training}}}}}}}")
    answer = trained("run", "--dry-run")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_an_option_that_no_recipe_gives_is_not_listed_as_one(lineal: Command) -> None:
    told = lineal("methods", "greedy_soup").out
    assert "--" not in told
    assert "  ingredients                found when the model is made" in told


def test_the_options_that_all_trainings_share_are_explained(lineal: Command) -> None:
    for method in ("lora", "full", "train", "distill"):
        assert "warmup_share: share of the steps" in lineal("methods", method).out


def save_mixture(folder: str, **options: Any) -> None:
    logging.disable_progress_bar()
    fields = tiny_config("mellum").to_dict() | {"vocab_size": VOCABULARY}
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(**fields)).save_pretrained(folder, **options)
    tokenizer().save_pretrained(folder)


def test_a_prediction_head_that_transformers_leaves_out_is_told(trained: Command) -> None:
    save_mixture("mixture")
    weights = Path("mixture/model.safetensors")
    save_file({**load_file(weights), "mtp.fc.weight": torch.ones(4, 4)}, weights, {"format": "pt"})
    words = ("finetune", "./mixture", "--data", "text.jsonl", *SHORT)
    made = trained(*words, "--method", "full", "--out", "tuned")
    assert made.code == 0, made.err
    assert "tuned: the prediction head of mixture is left out (1 tensors): transformers trains none" in made.err
    assert "mtp.fc.weight" not in open_checkpoint(Path("tuned"))


def test_what_is_trained_from_a_fused_folder_is_what_is_from_a_published_one(trained: Command) -> None:
    save_mixture("mixture")
    save_mixture("fused", save_original_format=False)
    for parent in ("mixture", "fused"):
        words = ("finetune", f"./{parent}", "--data", "text.jsonl", *SHORT)
        made = trained(*words, "--method", "full", "--out", f"tuned-{parent}")
        assert made.code == 0, made.err
        taught = ("distill", "./teacher1", "--student", f"./{parent}", "--layers", "0,3", "--data", "text.jsonl")
        made = trained(*taught, *SHORT, "--out", f"cut-{parent}")
        assert made.code == 0, made.err
    for child in ("tuned", "cut"):
        found = [hash_folder(Path(f"{child}-{parent}")) for parent in ("mixture", "fused")]
        assert found[0].layout_hash == found[1].layout_hash is not None
    assert open_checkpoint(Path("tuned-fused")).keys() == open_checkpoint(Path("fused")).keys()
