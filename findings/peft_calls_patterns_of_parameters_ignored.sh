#!/usr/bin/env bash
# PEFT 0.21.2: it warns that rank_pattern and alpha_pattern of target_parameters are ignored, and applies them.
#
# Guess: a pattern in the warning "did not match any targeted module and were ignored" has no effect and can be removed
# from the config with no change.
# Seen: only patterns of target_modules are looked for before the warning. A pattern that gives a parameter of
# target_parameters its rank or its alpha is listed like one that matches nothing, and it holds all the same: the
# parameter has the rank of the pattern, and the scale that follows from the pattern. For q_proj nothing is warned of.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import os

os.environ.update(TRANSFORMERS_VERBOSITY="error")
import warnings

import peft
from transformers import AutoModelForCausalLM, OlmoeConfig

shape = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 16, "num_hidden_layers": 1}
heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "num_experts": 4, "num_experts_per_tok": 2}
special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
targets = {"target_modules": ["q_proj"], "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}


def adapted(**patterns):
    """The rank and the scale of each target, and the keys of the patterns that are called ignored."""
    model = AutoModelForCausalLM.from_config(OlmoeConfig(**shape, **heads, **special))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = peft.get_peft_model(model, peft.LoraConfig(r=2, lora_alpha=4, **targets, **patterns))
    ignored = " ".join(str(one.message) for one in said if "were ignored" in str(one.message))
    layers = [module for module in model.modules() if isinstance(module, peft.tuners.lora.LoraLayer)]
    names = [getattr(layer, "parameter_name", None) or "q_proj" for layer in layers]
    return {name: (layer.r["default"], layer.scaling["default"]) for name, layer in zip(names, layers)}, ignored


print("PEFT", peft.__version__)
plain, ignored = adapted()
assert set(plain) == {"q_proj", "gate_up_proj", "down_proj"} and not ignored
for pattern, key, named, changed in (
    ("alpha_pattern", "no_such_name", True, {}),
    ("alpha_pattern", "q_proj", False, {"q_proj": (2, 8.0)}),
    ("alpha_pattern", "down_proj", True, {"down_proj": (2, 8.0)}),
    ("alpha_pattern", "mlp.experts.gate_up_proj", True, {"gate_up_proj": (2, 8.0)}),
    ("rank_pattern", "gate_up_proj", True, {"gate_up_proj": (16, 0.25)}),
):
    found, ignored = adapted(**{pattern: {key: 16}})
    print(f"{pattern} {key}: 16 changes (rank, scale) to", {n: found[n] for n in found if found[n] != plain[n]})
    print("  warning:", ignored or "none")
    assert found == {**plain, **changed}, f"{pattern} of {key} has another effect now"
    assert (f"'{key}'" in ignored) == named, f"{pattern} of {key} is {'not ' if named else ''}called ignored now"
PY
