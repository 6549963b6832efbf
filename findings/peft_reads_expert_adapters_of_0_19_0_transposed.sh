#!/usr/bin/env bash
# PEFT 0.21.2: an adapter on experts that PEFT 0.19.0 saved opens transposed where the parameter is square.
#
# Guess: adapter_config.json records the version that wrote it, so 0.21.2 opens an adapter of 0.19.0 with the logits
# that 0.19.0 gave, whatever it targets; had the layout changed, it would convert the adapter or name the version.
# Seen: for target_parameters, 0.19.0 takes a parameter [experts, rows, columns] as [experts, in, out], and 0.19.1, a
# patch release, takes it as [experts, out, in], as 0.21.2 does. Nothing is converted. Where rows and columns differ,
# the adapter fails with a size mismatch that says nothing of the layout. Where they are the same and no other parameter
# is adapted, as with gate_up_proj of experts half as wide as the model, it opens without a warning, and every expert's
# update is the transpose of the one that was saved. An adapter on q_proj gives the same logits in all three.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 safetensors==0.8.0 \
    numpy==2.4.6
for version in 0.19.0 0.19.1; do
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$work/$version" \
        "peft==$version"
done
cd "$work"
cat >common.py <<'PY'
import os

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1")
import peft
import torch
from transformers import AutoModelForCausalLM, OlmoeConfig

TOKENS = torch.arange(2, 14)[None]
BOTH = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
TARGETS = {
    "attention": {"target_modules": ["q_proj"]},
    "gate_up": {"target_modules": [], "target_parameters": BOTH[:1]},
    "both": {"target_modules": [], "target_parameters": BOTH},
}


def base():
    torch.manual_seed(0)
    shape = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 16, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "num_experts": 4, "num_experts_per_tok": 2}
    config = OlmoeConfig(**shape, **heads, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


@torch.no_grad()
def results(adapted):
    """The logits, and what merging the adapter adds to the first layer's gate_up_proj."""
    logits = adapted(TOKENS).logits
    merged, before = adapted.merge_and_unload(), base()
    return logits, (merged.model.layers[0].mlp.experts.gate_up_proj - before.model.layers[0].mlp.experts.gate_up_proj)
PY
cat >make.py <<'PY'
from common import TARGETS, base, peft, torch, results

for name, targets in TARGETS.items():
    adapted = peft.get_peft_model(base(), peft.LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, **targets)).eval()
    torch.manual_seed(1)
    for parameter_name, parameter in adapted.named_parameters():
        if "lora_" in parameter_name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(f"by-{peft.__version__}/{name}")
    torch.save(results(adapted), f"by-{peft.__version__}/{name}.pt")
PY
for version in 0.19.0 0.19.1; do
    PYTHONPATH="$work/$version" "$work/venv/bin/python" -W ignore make.py
done
"$work/venv/bin/python" - <<'PY'
import json
import warnings

from common import TOKENS, base, peft, results, torch
from safetensors.torch import load_file

START = base()(TOKENS).logits.detach()


def opened(version, name):
    """What the logits are off by, relative to what the adapter did to them; its update then and now; and warnings."""
    logits, update = torch.load(f"by-{version}/{name}.pt")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")  # of transformers, for any model
        now, now_update = results(peft.PeftModel.from_pretrained(base(), f"by-{version}/{name}").eval())
    off = ((now - logits).norm() / (logits - START).norm()).item()
    return off, update, now_update, [str(one.message) for one in said]


def same(one, other):
    return one.norm() > 0 and ((one - other).norm() / one.norm()).item() < 1e-5


print("PEFT", peft.__version__)
found = {}
for version in ("0.19.0", "0.19.1"):
    written = json.load(open(f"by-{version}/both/adapter_config.json"))["peft_version"]
    assert written == version, "the version is recorded otherwise now"
    shape = load_file(f"by-{version}/both/adapter_model.safetensors")
    shape = tuple(shape["base_model.model.model.layers.0.mlp.experts.lora_A.weight"].shape)
    print(f"saved by {version}: A of down_proj [4, 32, 16] at rank 2 is {shape}")
    for name in ("attention", "gate_up"):
        off, update, now, said = found[version, name] = opened(version, name)
        print(f"  {name}: logits off by {off:.1e} of the adapter's effect, {len(said)} warnings {said}")
    try:
        print(f"  both: logits off by {opened(version, 'both')[0]:.1e}")
        found[version, "both"] = ""
    except RuntimeError as error:
        found[version, "both"] = str(error)
        print("  both:", *str(error).splitlines()[:2])

for version in ("0.19.0", "0.19.1"):
    assert found[version, "attention"][0] < 1e-5, "the adapter of q_proj opens otherwise now"
off, update, now, said = found["0.19.0", "gate_up"]
assert off > 0.5, "0.19.0's adapter of a square parameter gives its logits now"
assert same(now, update.transpose(-2, -1)), "the update is not the transposed one now"
assert not said, "opening 0.19.0's adapter warns now"
assert "size mismatch" in found["0.19.0", "both"], "0.19.0's adapter of a parameter that is not square opens now"
assert "0.19" not in found["0.19.0", "both"], "the message names the version now"
off, update, now, said = found["0.19.1", "gate_up"]
assert off < 1e-5 and same(now, update) and not found["0.19.1", "both"], "0.19.1's adapters open otherwise now"
PY
