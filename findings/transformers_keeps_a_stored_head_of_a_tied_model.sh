#!/usr/bin/env bash
# transformers 5.23.0: `tie_word_embeddings: true` does not tie where the file holds an output head of its own.
#
# Guess: the config decides. A tied model's head is its embedding, and a stray `lm_head.weight` in the file is ignored,
# as version 4 did.
# Seen: a stored head that differs from the embedding is loaded and kept, and the two are different tensors, while
# `config.tie_word_embeddings` still says true. A head that is equal, or is not there, is tied. So who copies a model by
# what its config says, and leaves the head out, writes another model.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 safetensors==0.8.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import os

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1")
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

torch.manual_seed(0)
shape = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
config = Qwen2Config(**shape, num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=True)
Qwen2ForCausalLM(config).save_pretrained("model")
stored = load_file("model/model.safetensors")
assert "lm_head.weight" not in stored
embedding = stored["model.embed_tokens.weight"]


def reloaded(head):
    save_file({**stored, "lm_head.weight": head}, "model/model.safetensors", metadata={"format": "pt"})
    return AutoModelForCausalLM.from_pretrained("model")


equal, other = reloaded(embedding.clone()), reloaded(embedding + 1)
tied = equal.lm_head.weight is equal.model.embed_tokens.weight
kept = torch.equal(other.lm_head.weight, embedding + 1) and torch.equal(other.model.embed_tokens.weight, embedding)
print(f"an equal head is tied: {tied}; a head that differs is kept beside the embedding: {kept}")
print(f"the loaded config says tie_word_embeddings = {other.config.tie_word_embeddings}")
assert tied, "an equal stored head is no longer tied"
assert kept, "a stored head that differs is no longer kept"
assert other.config.tie_word_embeddings is True, "the config now tells"
PY
