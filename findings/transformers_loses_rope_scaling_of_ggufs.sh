#!/usr/bin/env bash
# transformers 5.23.0: a GGUF's rotary scaling is dropped without a word; the model opens with unscaled positions.
#
# Guess: from_pretrained(gguf_file=...) reads llama.rope.scaling.* into rope_parameters, and the frequencies that
# converters store for Llama 3 (rope_freqs.weight) into the rotary embedding; what it could not read it would refuse.
# Seen: neither is read. A Llama with linear scaling gives, bit for bit, the logits of the same weights without scaling;
# so does one with rope_freqs.weight. Nothing is raised, nothing about it is logged as a warning.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 gguf==0.19.0 accelerate==1.15.0 \
    numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 TQDM_DISABLE=1 "$work/venv/bin/python" -W ignore - <<'PY'
import io
import logging

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

HEADS, WIDTH, BLOCKS, WORDS, CONTEXT = 4, 64, 2, 96, 512
SHAPE = {"hidden_size": WIDTH, "intermediate_size": 96, "num_hidden_layers": BLOCKS, "vocab_size": WORDS}
SHAPE |= {"num_attention_heads": HEADS, "num_key_value_heads": HEADS, "max_position_embeddings": CONTEXT}
SHAPE |= {"initializer_range": 0.3}
TOKENS = torch.arange(1, 81)[None]


def llama(rope):
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SHAPE, rope_parameters={"rope_theta": 10000.0, **rope})).eval()


def paired(values):
    """Rows as llama.cpp's converter orders them for rotary embeddings."""
    return values.reshape(HEADS, 2, len(values) // HEADS // 2, -1).swapaxes(1, 2).reshape(values.shape)


def write(path, model, linear=None, divisors=None):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_vocab_size(WORDS)
    writer.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    if linear:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(linear)
    if divisors is not None:
        writer.add_tensor("rope_freqs.weight", divisors)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, BLOCKS)
    for name, values in model.state_dict().items():
        values = values.numpy()
        turned = paired(values) if ".q_proj." in name or ".k_proj." in name else values
        writer.add_tensor(names.get_name(name, (".weight",)), np.ascontiguousarray(turned))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.no_grad()
def logits(model):
    return model(TOKENS).logits


log = io.StringIO()
handler = logging.StreamHandler(log)
handler.setLevel(logging.WARNING)
transformers_logging.get_logger("transformers").addHandler(handler)
plain, scaled = llama({"rope_type": "default"}), llama({"rope_type": "linear", "factor": 4.0})
assert all(map(torch.equal, plain.state_dict().values(), scaled.state_dict().values()))
apart = (logits(scaled) - logits(plain)).abs().max().item()
print(f"what scaling by 4 does to the logits: {apart:.3f}")
assert apart > 0.5
write("linear.gguf", scaled, linear=4.0)
write("frequencies.gguf", scaled, divisors=np.full(WIDTH // HEADS // 2, 4, np.float32))
write("plain.gguf", plain)
unscaled = logits(AutoModelForCausalLM.from_pretrained(".", gguf_file="plain.gguf", dtype=torch.float32))
print(f"without scaling, from its GGUF: off by {(unscaled - logits(plain)).abs().max().item():.1e}")
assert torch.allclose(unscaled, logits(plain), atol=1e-4)
for name in ("linear", "frequencies"):
    opened = AutoModelForCausalLM.from_pretrained(".", gguf_file=f"{name}.gguf", dtype=torch.float32)
    found, rope = logits(opened), opened.config.rope_parameters
    off = (found - logits(scaled)).abs().max().item()
    print(f"{name}.gguf: {rope}; off by {off:.3f}; as without scaling: {torch.equal(found, unscaled)}")
    assert torch.equal(found, unscaled), f"{name}: scaling is not dropped any more"
said = [line for line in log.getvalue().splitlines() if "rope" in line.lower() or "scaling" in line.lower()]
print("warnings of it:", said or "none")
assert not said, "it warns of it now"
PY
