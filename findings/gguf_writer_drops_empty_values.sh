#!/usr/bin/env bash
# gguf 0.19.0: GGUFWriter's typed methods silently leave out values that are empty, and its general one does not.
#
# Guess: `add_string(key, "")` and `add_array(key, [])` write a key with an empty value, or raise: the format has both.
# Seen: the key is not in the file, without a word; `add_key_value` with the same empty string writes it. An empty chat
# template, licence or list of added tokens cannot be told from one that nobody set.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PY'
import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

writer = GGUFWriter("empty.gguf", "llama")
writer.add_string("typed.string", "")
writer.add_array("typed.array", [])
writer.add_key_value("general.string", "", GGUFValueType.STRING)
writer.add_string("typed.space", " ")
writer.add_tensor("one", np.ones(1, np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
keys = {key for key in GGUFReader("empty.gguf").fields if "." in key and not key.startswith("GGUF.")}
print("keys in the file:", ", ".join(sorted(keys)))
assert {"typed.string", "typed.array"}.isdisjoint(keys), "empty values are written now"
assert {"general.string", "typed.space"} <= keys, "add_key_value drops an empty string, too"
PY
