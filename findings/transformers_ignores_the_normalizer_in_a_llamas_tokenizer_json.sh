#!/usr/bin/env bash
# transformers 5.23.0: AutoTokenizer ignores the normalizer in the tokenizer.json of a Llama.
#
# Guess: a tokenizer.json is the whole tokenizer. AutoTokenizer gives the ids that `tokenizers.Tokenizer.from_file` gives,
# whatever class tokenizer_config.json names.
# Seen: where the model is a Llama and the class LlamaTokenizer, as with Llama 2 and all that is made from it, only the
# vocabulary, the merges and the post-processor are taken from the file. Its normalizer (put a ▁ in front, write spaces as
# ▁: what SentencePiece and llama.cpp do) is replaced by a Metaspace, which puts nothing in front of a text that begins
# with a space, nor of what follows a special token: " hi" and "</s>hi" get other tokens. The same folder as a Mistral, or
# with PreTrainedTokenizerFast, is read as it stands. So ids depend on a word in config.json.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import json
import os

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_OFFLINE="1")
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from transformers import AutoTokenizer

special = ["<unk>", "<s>", "</s>"]
tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "h", "i", "hi", "▁hi"]
merges = [("h", "i"), ("▁", "hi")]
vocabulary = {token: index for index, token in enumerate(tokens)}
tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
Path("model").mkdir()
tokenizer.save("model/tokenizer.json")


def opened(model_type, tokenizer_class):
    Path("model/config.json").write_text(json.dumps({"model_type": model_type}))
    roles = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    Path("model/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class, **roles}))
    found = AutoTokenizer.from_pretrained("model")
    return lambda text: found.convert_ids_to_tokens(found(text)["input_ids"])


llama, mistral = opened("llama", "LlamaTokenizer"), opened("mistral", "LlamaTokenizer")
named = opened("llama", "PreTrainedTokenizerFast")
for text in ("hi", " hi", "</s>hi"):
    stored = tokenizer.encode(text).tokens
    print(f"{text!r}: stored {stored}, as a Llama {llama(text)}, as a Mistral {mistral(text)}")
    assert mistral(text) == stored, "a Mistral's tokenizer.json is not read as it stands"
    assert named(text) == stored, "PreTrainedTokenizerFast does not read it as it stands"
assert llama("hi") == ["▁hi"]
assert tokenizer.encode(" hi").tokens == ["▁", "▁hi"]
assert tokenizer.encode("</s>hi").tokens == ["</s>", "▁hi"]
assert llama(" hi") == ["▁hi"], "a Llama's text that begins with a space is read as its tokenizer.json says"
assert llama("</s>hi") == ["</s>", "hi"], "what follows a special token is read as its tokenizer.json says"
PY
