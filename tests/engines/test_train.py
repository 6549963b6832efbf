"""What a training leaves behind: ordinary folders, in the parent's names and dtypes, or an adapter."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, MixtralConfig, MixtralForCausalLM

from lineal.engines.inference.language_model import load_model
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.train import TrainingReport, train
from lineal.engines.train.trained_weights import check_names, trainable_dtypes
from lineal.errors import CheckpointError, MethodError, StorageError
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.lora import Lora
from lineal.methods.finetune.scratch import Scratch
from lineal.methods.finetune.training import Training
from tests.engines.tiny_models import (
    CONFIG,
    POSITIONS,
    VOCABULARY,
    contents,
    make_documents,
    make_model,
    stored_in,
    tokenizer,
    with_package_of,
)

SHORT = {"sequence_length": POSITIONS, "batch_size": 4, "tokens": 640}


def run(method: Training, folder: Path, data: Path, parent: Path | None = None, **options) -> TrainingReport:
    out = folder / "out"
    out.mkdir(parents=True)
    return train(
        method, data=[data], out=out, scratch=folder / "scratch", parent=parent, base=BaseName("family:tiny"), **options
    )


def scratch(**options) -> Scratch:
    return Scratch(config=CONFIG, tokenizer={"train": {"vocab_size": VOCABULARY}}, **{**SHORT, **options})


def stored_dtypes(folder: Path) -> dict[str, str]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        names = file.keys()
        return {name: file.get_slice(name).get_dtype() for name in names}


def test_an_original_is_a_folder_that_transformers_opens_as_it_is(tmp_path, data):
    report = run(scratch(tokens=6400), tmp_path, data)
    out = tmp_path / "out"
    assert sorted(contents(out)) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    model, info = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not any(info.values())
    assert model.config.architectures == ["LlamaForCausalLM"]
    assert model.config.use_cache
    assert model.config.vocab_size == VOCABULARY
    assert "lm_head.weight" not in stored_dtypes(out)
    assert report.final_loss < report.losses[0] - 0.5
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.eos_token_id == model.config.eos_token_id == 0
    assert tokenizer.model_max_length == POSITIONS
    for text in (*make_documents(9), "  two\t spaces\r\n\u4e2d \U0001f600 n't"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_an_original_is_stored_in_the_dtype_that_its_configuration_names(tmp_path, data):
    method = Scratch(config={**CONFIG, "dtype": "bfloat16"}, tokenizer={"train": {"vocab_size": VOCABULARY}}, **SHORT)
    run(method, tmp_path, data)
    assert set(stored_dtypes(tmp_path / "out").values()) == {"BF16"}
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"model_type": "lama"}, "has no model_type 'lama'"),
        ({"hiden_size": 8}, "a llama has no 'hiden_size'"),
        ({"vocab_size": 99}, "vocab_size follows the tokenizer"),
        ({"dtype": "int8"}, "dtype must be one of"),
        ({"num_attention_heads": 5}, "train: config: .*not a multiple"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(tmp_path, data, config, fault):
    method = Scratch(config={**CONFIG, **config}, tokenizer={"train": {"vocab_size": VOCABULARY}}, **SHORT)
    with pytest.raises(MethodError, match=fault):
        run(method, tmp_path, data)


def test_a_vocabulary_that_the_data_cannot_fill_is_refused(tmp_path, data):
    with pytest.raises(MethodError, match="not 5000: more data"):
        run(Scratch(config=CONFIG, tokenizer={"train": {"vocab_size": 5000}}, **SHORT), tmp_path, data)


def test_full_fine_tuning_keeps_names_and_dtypes_and_writes_weights_alone(tmp_path, data, tiny_model):
    mixed = {"model.norm.weight": torch.float32}
    parent = stored_in(tmp_path / "parent", tiny_model, mixed, torch.bfloat16)
    report = run(FullFineTune(learning_rate=1e-3, **SHORT), tmp_path, data, parent)
    out = tmp_path / "out"
    assert sorted(contents(out)) == ["model.safetensors"]
    assert stored_dtypes(out) == stored_dtypes(parent)
    assert contents(out)["model.safetensors"] != contents(parent)["model.safetensors"]
    _, info = AutoModelForCausalLM.from_pretrained(with_package_of(parent, out), output_loading_info=True)
    assert not any(info.values())
    assert report.final_loss < report.losses[0]


def test_a_tied_head_that_the_parent_stored_twice_is_stored_once(tmp_path, data, tiny_model):
    from safetensors.torch import load_file, save_file

    parent = stored_in(tmp_path / "parent", tiny_model, {}, torch.float32)
    tensors = load_file(parent / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, parent / "model.safetensors", {"format": "pt"})
    run(FullFineTune(**SHORT), tmp_path, data, parent)
    assert stored_dtypes(tmp_path / "out").keys() == tensors.keys() - {"lm_head.weight"}


def test_buffers_that_the_parent_stored_are_not_trained_and_not_missed(tmp_path, data, tiny_model):
    from safetensors.torch import load_file, save_file

    parent = stored_in(tmp_path / "parent", tiny_model, {}, torch.float32)
    tensors = load_file(parent / "model.safetensors")
    buffers = {
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8),
        "model.embeddings.position_ids": torch.arange(32),
    }
    save_file({**tensors, **buffers}, parent / "model.safetensors", {"format": "pt"})
    assert trainable_dtypes(parent).keys() == tensors.keys()
    check_names(frozenset(tensors), trainable_dtypes(parent), AutoModelForCausalLM.from_pretrained(tiny_model), parent)


def test_an_untied_head_is_a_weight_of_its_own(tmp_path, data):
    parent = make_model(tmp_path / "parent", tie_word_embeddings=False)
    run(FullFineTune(optimizer="muon", **SHORT), tmp_path, data, parent)
    assert "lm_head.weight" in stored_dtypes(tmp_path / "out")
    assert stored_dtypes(tmp_path / "out") == stored_dtypes(parent)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT 0.21 on transformers 5.23
def test_lora_leaves_an_adapter_that_PEFT_opens_and_that_predicts_the_same(tmp_path, data, tiny_model):
    method = Lora(rank=4, alpha=6.0, dropout=0.1, learning_rate=5e-3, rank_stabilized=True, **SHORT)
    report = run(method, tmp_path, data, tiny_model)
    out = tmp_path / "out"
    assert sorted(contents(out)) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "family:tiny"
    assert config["target_modules"] == sorted(config["target_modules"]) != []
    assert (config["r"], config["lora_alpha"], config["use_rslora"], config["inference_mode"]) == (4, 6, True, True)
    assert isinstance(config["lora_alpha"], int)
    assert report.final_loss < report.losses[0]
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), out).eval()
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        expected = theirs(tokens).logits
        plain = AutoModelForCausalLM.from_pretrained(tiny_model)(tokens).logits
        assert torch.allclose(load_model(out, tiny_model)(tokens).logits, expected, atol=1e-5)
    assert (expected - plain).abs().max() > 0.01


def test_lora_adapts_what_its_targets_name(tmp_path, data, tiny_model):
    method = Lora(rank=2, target_modules=r"model\.layers\.1\..*(q|down)_proj", **SHORT)
    run(method, tmp_path, data, tiny_model)
    with safe_open(tmp_path / "out" / "adapter_model.safetensors", "pt") as file:
        assert sorted(file.keys()) == [
            f"base_model.model.model.layers.1.{module}.lora_{side}.weight"
            for module in ("mlp.down_proj", "self_attn.q_proj")
            for side in "AB"
        ]


def test_an_architecture_that_transformers_renames_and_fuses_keeps_the_names_of_its_checkpoints(tmp_path, data):
    sizes = {key: value for key, value in CONFIG.items() if key != "model_type"}
    config = MixtralConfig(vocab_size=VOCABULARY, num_local_experts=2, num_experts_per_tok=1, **sizes)
    MixtralForCausalLM(config).save_pretrained(tmp_path / "parent")
    tokenizer().save_pretrained(tmp_path / "parent")
    run(FullFineTune(**SHORT), tmp_path / "full", data, tmp_path / "parent")
    names = stored_dtypes(tmp_path / "parent")
    assert any("experts.1.w2" in name for name in names)
    assert stored_dtypes(tmp_path / "full" / "out") == names
    run(Lora(rank=2, **SHORT), tmp_path / "lora", data, tmp_path / "parent")
    settings = json.loads((tmp_path / "lora" / "out" / "adapter_config.json").read_text())
    assert settings["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]


@pytest.mark.parametrize(
    ("targets", "fault"),
    [
        (("q_prj",), "did you mean q_proj"),
        (("lm_head",), "lm_head is tied to the embeddings"),
        (r".*(embed_tokens|q_proj)", "also matches model.embed_tokens, which is not a linear layer"),
    ],
)
def test_lora_refuses_targets_that_it_cannot_adapt(tmp_path, data, tiny_model, targets, fault):
    with pytest.raises(MethodError, match=fault):
        run(Lora(rank=2, target_modules=targets, **SHORT), tmp_path, data, tiny_model)


def test_an_adapter_can_be_fine_tuned_in_full_but_not_adapted_again(tmp_path, data, tiny_model):
    run(Lora(rank=2, learning_rate=1e-2, **SHORT), tmp_path / "adapter", data, tiny_model)
    adapter = tmp_path / "adapter" / "out"
    run(FullFineTune(**SHORT), tmp_path / "full", data, adapter, parent_base=tiny_model)
    assert stored_dtypes(tmp_path / "full" / "out") == stored_dtypes(tiny_model)
    with pytest.raises(MethodError, match="is an adapter itself"):
        run(Lora(rank=2, **SHORT), tmp_path / "again", data, adapter, parent_base=tiny_model)
    with pytest.raises(CheckpointError, match="the folder of its base is needed"):
        run(FullFineTune(**SHORT), tmp_path / "alone", data, adapter)


def test_the_report_counts_what_was_read(tmp_path, data, tiny_model):
    seen: list[tuple[int, int, float]] = []
    method = FullFineTune(sequence_length=POSITIONS, batch_size=4, gradient_accumulation=2, epochs=2)
    report = run(method, tmp_path, data, tiny_model, progress=lambda *step: seen.append(step))
    blocks = -(-report.tokens_in_data // POSITIONS)
    assert (report.epochs, report.tokens) == (2, 2 * report.tokens_in_data)
    assert report.steps == -(-2 * blocks // 8)
    assert seen == [(i + 1, report.steps, loss) for i, loss in enumerate(report.losses)]
    assert report.seconds > 0


def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path, data, tiny_model, monkeypatch):
    (tmp_path / "full" / "out").mkdir(parents=True)
    (tmp_path / "full" / "out" / "kept").touch()
    with pytest.raises(StorageError, match="empty folder"):
        train(FullFineTune(), data=[data], out=tmp_path / "full" / "out", scratch=tmp_path, parent=tiny_model)
    with pytest.raises(MethodError, match="sequence_length 64 is more than the model's 32"):
        run(FullFineTune(sequence_length=64), tmp_path / "long", data, tiny_model)
    with pytest.raises(MethodError, match="a parent is needed"):
        run(FullFineTune(), tmp_path / "orphan", data)
    with pytest.raises(StorageError, match="no such data file"):
        run(FullFineTune(**SHORT), tmp_path / "dataless", tmp_path / "missing.jsonl", tiny_model)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(MethodError, match="one process"):
        run(FullFineTune(**SHORT), tmp_path / "two", data, tiny_model)
    assert not any(any(path.iterdir()) for path in tmp_path.glob("*/out") if path.parent.name != "full")


def test_a_training_that_diverges_stops_with_the_step_and_the_rate(tmp_path, data, tiny_model):
    with pytest.raises(MethodError, match=r"the loss became (nan|inf) at step \d+; a smaller learning_rate"):
        run(FullFineTune(learning_rate=1e30, warmup_share=0.0, **SHORT), tmp_path, data, tiny_model)
