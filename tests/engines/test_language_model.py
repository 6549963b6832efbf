"""Loading: what does not fit is an error, never a warning."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from lineal.engines.inference.language_model import encode, end_of_document, load_model, load_tokenizer
from lineal.errors import CheckpointError
from tests.engines.tiny_models import make_documents

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT on transformers 5.23


@pytest.fixture
def folder(tmp_path, tiny_model):
    return shutil.copytree(tiny_model, tmp_path / "model")


@pytest.fixture
def adapter(tmp_path, tiny_model):
    """An adapter as PEFT itself writes it, with a B that is not zero."""
    settings = LoraConfig(r=2, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), settings)
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    return tmp_path / "adapter"


def change(folder, edit, name="model.safetensors"):
    tensors = load_file(folder / name)
    edit(tensors)
    save_file(tensors, folder / name, {"format": "pt"})


def test_a_model_is_loaded_as_transformers_loads_it(folder):
    tokens = torch.arange(10)[None]
    with torch.no_grad():
        assert torch.equal(
            load_model(folder)(tokens).logits, AutoModelForCausalLM.from_pretrained(folder)(tokens).logits
        )


def test_a_missing_tensor_is_an_error(folder):
    change(folder, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    with pytest.raises(CheckpointError, match=r"are missing of a llama: model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(folder)


def test_a_tensor_that_the_architecture_does_not_know_is_an_error(folder):
    change(folder, lambda tensors: tensors.update({"model.layers.7.extra": torch.ones(2)}))
    with pytest.raises(CheckpointError, match=r"are unknown to a llama: model\.layers\.7\.extra"):
        load_model(folder)


def test_a_tensor_of_another_shape_is_an_error(folder):
    change(folder, lambda tensors: tensors.update({"model.norm.weight": torch.ones(5)}))
    with pytest.raises(CheckpointError, match=r"differ in shape.*: model\.norm\.weight \[5\], not \[32\]"):
        load_model(folder)


def test_pickled_weights_are_never_opened(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickle"):
        load_model(folder)


def test_a_models_own_code_is_never_run(folder):
    config = json.loads((folder / "config.json").read_text())
    config.update(model_type="mine", auto_map={"AutoConfig": "code.Mine", "AutoModelForCausalLM": "code.Model"})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('the code was run')")
    with pytest.raises(CheckpointError, match="custom code"):
        load_model(folder)


@pytest.mark.parametrize("changed", [{"model_type": "lama"}, {"num_attention_heads": 5}, {"model_type": None}])
def test_a_configuration_that_transformers_cannot_use_names_its_folder(folder, changed):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changed}))
    with pytest.raises(CheckpointError, match=str(folder)):
        load_model(folder)


def test_a_dtype_that_torch_does_not_have_is_refused_in_one_line(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float8"}))
    for load in (load_model, load_tokenizer):
        with pytest.raises(CheckpointError, match="dtype 'float8' is none that torch has"):
            load(folder)


def test_an_adapter_is_combined_with_its_base(adapter, tiny_model):
    tensors, base = load_file(adapter / "adapter_model.safetensors"), load_file(tiny_model / "model.safetensors")
    combined = load_model(adapter, tiny_model).state_dict()
    scale = 8 / 2
    for name, weight in base.items():
        key = f"base_model.model.{name.removesuffix('.weight')}.lora_{{}}.weight"
        adapted = key.format("A") in tensors
        update = scale * tensors[key.format("B")] @ tensors[key.format("A")] if adapted else 0
        assert torch.allclose(combined[name], weight + update, atol=1e-6)


def test_an_adapter_key_that_lands_nowhere_or_is_missing_is_an_error(adapter, tiny_model):
    file = "adapter_model.safetensors"
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    change(adapter, lambda tensors: tensors.update({key.replace("layers.0", "layers.9"): tensors[key].clone()}), file)
    with pytest.raises(CheckpointError, match=r"have no place in the base: .*layers\.9"):
        load_model(adapter, tiny_model)
    change(adapter, lambda tensors: (tensors.pop(key), tensors.pop(key.replace("layers.0", "layers.9"))), file)
    with pytest.raises(CheckpointError, match=r"are missing: .*layers\.0"):
        load_model(adapter, tiny_model)
    change(adapter, lambda tensors: tensors.pop(key.replace("lora_A", "lora_B")), file)
    with pytest.raises(CheckpointError, match=r"are missing of layers that it adapts: .*layers\.0\.self_attn\.q_proj"):
        load_model(adapter, tiny_model)


def test_an_adapter_needs_its_base_and_a_full_model_takes_none(adapter, tiny_model):
    with pytest.raises(CheckpointError, match="the folder of its base is needed"):
        load_model(adapter)
    with pytest.raises(CheckpointError, match="it takes no base"):
        load_model(tiny_model, tiny_model)
    with pytest.raises(CheckpointError, match="an adapter where full weights are needed"):
        load_model(adapter, adapter)


def test_an_adapter_without_a_tokenizer_has_its_bases(adapter, tiny_model):
    texts = make_documents(3, 5)
    ours, bases = (encode(load_tokenizer(*folders), texts) for folders in ((adapter, tiny_model), (tiny_model,)))
    assert [a.tolist() for a in ours] == [b.tolist() for b in bases]
    with pytest.raises(CheckpointError, match="no tokenizer files"):
        load_tokenizer(adapter)


def test_a_tokenizer_without_an_end_of_text_cannot_separate_documents(folder):
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="no end-of-text token"):
        end_of_document(load_tokenizer(folder), folder)
