"""What a model trained from scratch begins with: a tokenizer made from its data and random weights."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub.errors import StrictDataclassError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from lineal.engines.inference.next_token import no_next_token
from lineal.engines.silence import silence
from lineal.errors import MethodError
from lineal.methods.finetune.scratch import Scratch
from lineal.methods.method import nearest
from lineal.shown import quoted

END_OF_TEXT = "<|endoftext|>"

_STORED = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


def train_tokenizer(documents: Sequence[str], vocabulary_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE (GPT-2's pre-tokenizer): every text can be encoded, and decodes to itself."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=[END_OF_TEXT], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(documents, trainer)
    if bpe.get_vocab_size() != vocabulary_size:
        raise MethodError(
            f"train: the data gives a vocabulary of {bpe.get_vocab_size()} tokens, not {vocabulary_size}: "
            "more data or a smaller vocab_size is needed"
        )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END_OF_TEXT, clean_up_tokenization_spaces=False)


def make_config(training: Scratch, end_of_text: int) -> PreTrainedConfig:
    """The configuration as asked for; a key that its model_type does not know is refused.

    end_of_text: the tokenizer's token that begins and ends documents.
    """
    asked = dict(training.config)
    model_type = str(asked.pop("model_type"))
    known = _config_class(model_type)().to_dict()
    unknown = sorted(asked.keys() - known.keys())
    if unknown:
        raise MethodError(f"train: config: a {model_type} has no {quoted(unknown[0])} ({nearest(unknown[0], known)})")
    derived = {"vocab_size": training.vocabulary_size, "bos_token_id": end_of_text, "eos_token_id": end_of_text}
    for key, value in derived.items():
        if asked.get(key, value) != value:
            raise MethodError(f"train: config: {key} follows the tokenizer and is {value}, not {asked[key]}")
    return config_of({"dtype": "float32", **training.config, **derived})


def config_of(fields: Mapping[str, Any]) -> PreTrainedConfig:
    """A configuration from its JSON, by its model_type."""
    asked = dict(fields)
    try:
        return _config_class(str(asked.pop("model_type", None)))(**asked)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise MethodError(f"train: config: {str(error).splitlines()[-1].strip()}") from None


def _config_class(model_type: str) -> Any:
    if model_type not in CONFIG_MAPPING:
        raise MethodError(f"train: transformers has no model_type {quoted(model_type)}")
    return CONFIG_MAPPING[model_type]


def random_model(config: PreTrainedConfig) -> PreTrainedModel:
    """Weights as the architecture initialises them, from torch's generator as it stands, in float32."""
    if why := no_next_token(config.to_dict()):
        raise MethodError(f"train: config: {why}")
    with silence():
        try:
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
        except (TypeError, ValueError, RuntimeError) as error:
            raise MethodError(f"train: config: {str(error).splitlines()[0]}") from None
    return cast(PreTrainedModel, model)


def stored_dtype(training: Scratch) -> str:
    """How the weights are stored, by safetensors' name for it."""
    name = str(training.config.get("dtype", "float32"))
    if name not in _STORED:
        raise MethodError(f"train: config: dtype must be one of {', '.join(_STORED)}, got {quoted(name)}")
    return _STORED[name]


def write_package(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write config.json, generation_config.json and the tokenizer's files."""
    bound = config.get_text_config().to_dict().get("max_position_embeddings")
    if isinstance(bound, int):
        tokenizer.model_max_length = bound
    with silence():
        config.save_pretrained(folder)
        GenerationConfig.from_model_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    # transformers 5 writes a class name of its own that transformers 4 does not know; both know this one
    path = folder / "tokenizer_config.json"
    fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    fields["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")
