#!/usr/bin/env bash
# transformers 5.23.0: save_pretrained of OLMo-hybrid cuts its joined convolution into thirds, whatever its parts are.
#
# Guess: loading joins q_conv1d, k_conv1d and v_conv1d of a linear attention, and saving gives those three back, with
# the rows that they had.
# Seen: where the heads of keys and of values differ, as with linear_key_head_dim 6 and linear_value_head_dim 12, the
# 24, 24 and 48 rows that were loaded are saved as 32, 32 and 32: the same bytes in a row, cut elsewhere. transformers
# joins them again and notices nothing; what reads the three by their names gets shapes that do not fit the config, and
# weights of keys under the name of queries.
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
from transformers import AutoModelForCausalLM, OlmoHybridConfig

torch.manual_seed(0)
shape = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "linear_num_key_heads": 4, "linear_num_value_heads": 4}
special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
config = OlmoHybridConfig(
    **shape,
    **heads,
    **special,
    linear_key_head_dim=6,
    linear_value_head_dim=12,
    layer_types=["linear_attention", "full_attention"],
)
AutoModelForCausalLM.from_config(config).save_pretrained("made")
wanted = {"q": 24, "k": 24, "v": 48}
attention = "model.layers.0.linear_attn"
names = {part: f"{attention}.{part}_conv1d.weight" for part in wanted}
stored = load_file("made/model.safetensors")
joined = torch.cat([stored[name] for name in names.values()])
cut = [part.clone() for part in joined.split(list(wanted.values()))]
save_file({**stored, **dict(zip(names.values(), cut, strict=True))}, "made/model.safetensors", {"format": "pt"})

model = AutoModelForCausalLM.from_pretrained("made")
assert torch.equal(model.state_dict()[f"{attention}.conv1d.weight"], joined), "loading joins otherwise now"
model.save_pretrained("saved")
loaded, saved = load_file("made/model.safetensors"), load_file("saved/model.safetensors")
print("rows loaded:", {part: loaded[name].shape[0] for part, name in names.items()})
print("rows saved: ", {part: saved[name].shape[0] for part, name in names.items()})
assert [saved[name].shape[0] for name in names.values()] == [32, 32, 32], "the parts are cut otherwise now"
assert torch.equal(torch.cat([saved[name] for name in names.values()]), joined), "the bytes in a row are others now"
assert all(torch.equal(loaded[name], saved[name]) for name in loaded.keys() - names.values()), "other weights differ"
PY
