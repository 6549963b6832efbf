#!/usr/bin/env bash
# transformers 5.23.0: an infinite number in a configuration is written to config.json as an object, not as a number.
#
# Guess: Mamba2Config's default time_step_limit, (0.0, inf), is written as [0.0, Infinity], as Python's json does, or is
# refused; whatever reads config.json finds a list of two numbers.
# Seen: the list's second item is the object {"__float__": "Infinity"}. transformers turns it back when it opens the
# folder, though the tuple has become a list by then; json.load gives a list of a number and a dict, so code that reads
# config.json by itself (converters, mergers, checks of equal configurations) and compares or computes with the limit
# fails, or takes two equal configurations for different ones. Bamba, Falcon-H1, Granite-MoE-hybrid and Nemotron-H write
# the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 numpy==2.4.6
"$work/venv/bin/python" -W ignore - "$work/model" <<'PY'
import json
import math
import sys
from pathlib import Path

from transformers import AutoConfig, Mamba2Config

folder = Path(sys.argv[1])
config = Mamba2Config()
assert config.time_step_limit == (0.0, math.inf), config.time_step_limit
config.save_pretrained(folder)
written = json.loads((folder / "config.json").read_text())["time_step_limit"]
opened = AutoConfig.from_pretrained(folder).time_step_limit
print(f"in config.json: {written}; opened again: {opened}")
assert written == [0.0, {"__float__": "Infinity"}], "infinity is written otherwise now"
assert opened == [0.0, math.inf], "what is opened again is another limit"
assert opened != config.time_step_limit, "a tuple comes back as a tuple now"
try:
    print(0.5 < written[1])
except TypeError as error:
    print(f"compared with a number: TypeError: {error}")
else:
    raise AssertionError("the written limit can be compared now")
PY
