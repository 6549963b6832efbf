"""Small texts and models for the engines' tests, made without lineal's own training."""

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lineal.engines.train.from_scratch import train_tokenizer

torch.set_num_threads(1)  # products this small only lose by a second thread, most of all on a busy machine

POSITIONS = 32
VOCABULARY = 300
SENTENCE = "a model is derived from another by one step and every step keeps the names of its parents é\u4e16"

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": POSITIONS,
    "tie_word_embeddings": True,
}


def make_documents(seed: int, count: int = 40) -> list[str]:
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(SENTENCE.split(), generator.integers(5, 40))) + "." for _ in range(count)]


def write_data(path: Path, seed: int = 0, count: int = 40) -> Path:
    lines = (json.dumps({"text": text}) + "\n" for text in make_documents(seed, count))
    path.write_text("".join(lines), encoding="utf-8")
    return path


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(make_documents(0), VOCABULARY)


def make_model(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A random Llama with its tokenizer, saved by transformers itself, in float32."""
    torch.manual_seed(seed)
    fields = {**CONFIG, "vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0, **changes}
    del fields["model_type"]
    model = LlamaForCausalLM(LlamaConfig(**fields))
    for parameter in model.parameters():
        parameter.data.mul_(3)  # far enough from uniform for texts to differ
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def stored_in(folder: Path, source: Path, dtypes: dict[str, torch.dtype], default: torch.dtype) -> Path:
    """A copy of a model with other stored dtypes."""
    shutil.copytree(source, folder)
    tensors = load_file(source / "model.safetensors")
    save_file(
        {n: t.to(dtypes.get(n, default)) for n, t in tensors.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    return folder


def with_package_of(parent: Path, child: Path) -> Path:
    """Copy the parent's config and tokenizer beside trained weights, as lineal does."""
    for path in parent.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, child / path.name)
    return child


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
