"""Small Llamas with byte-level BPE tokenizers, and what they are in a GGUF: by numpy, json and the gguf library."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader

from tests.builders import Array, make_checkpoint, write_json

END = "<|endoftext|>"
CONFIG: Mapping[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 272,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
_NAMES = {
    r"model\.embed_tokens": "token_embd",
    r"model\.norm": "output_norm",
    r"lm_head": "output",
    r"model\.layers\.(\d+)\.input_layernorm": r"blk.\1.attn_norm",
    r"model\.layers\.(\d+)\.post_attention_layernorm": r"blk.\1.ffn_norm",
    r"model\.layers\.(\d+)\.self_attn\.([qkv])_proj": r"blk.\1.attn_\2",
    r"model\.layers\.(\d+)\.self_attn\.o_proj": r"blk.\1.attn_output",
    r"model\.layers\.(\d+)\.mlp\.(gate|up|down)_proj": r"blk.\1.ffn_\2",
}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def make_llama(
    folder: Path, *, dtype: Any = np.float32, seed: int = 1, shards: int = 1, tokenizer: Any = None, **changes: Any
) -> Path:
    """A model folder; `changes` are to the config, `tokenizer` to tokenizer.json."""
    config = {**CONFIG, **changes}
    make_checkpoint(folder, llama_tensors(config, seed, dtype), config, shards=shards)
    write_json(folder / "tokenizer.json", {**byte_level_bpe(), **(tokenizer or {})})
    write_json(folder / "tokenizer_config.json", {"eos_token": END, "tokenizer_class": "PreTrainedTokenizerFast"})
    return folder


def llama_tensors(config: Mapping[str, Any], seed: int = 1, dtype: Any = np.float32) -> dict[str, Array]:
    width, ahead, rows = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    size = config.get("head_dim", width // config["num_attention_heads"])
    queries, keys = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    shapes: dict[str, Sequence[int]] = {"model.embed_tokens.weight": (rows, width), "model.norm.weight": (width,)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (rows, width)
    for i in range(config["num_hidden_layers"]):
        for name, shape in {
            "q": (queries, width),
            "k": (keys, width),
            "v": (keys, width),
            "o": (width, queries),
        }.items():
            shapes[f"model.layers.{i}.self_attn.{name}_proj.weight"] = shape
            if config.get("attention_bias"):
                shapes[f"model.layers.{i}.self_attn.{name}_proj.bias"] = shape[:1]
        for name, shape in {"gate": (ahead, width), "up": (ahead, width), "down": (width, ahead)}.items():
            shapes[f"model.layers.{i}.mlp.{name}_proj.weight"] = shape
            if config.get("mlp_bias"):
                shapes[f"model.layers.{i}.mlp.{name}_proj.bias"] = shape[:1]
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"model.layers.{i}.{norm}.weight"] = (width,)
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(tuple(shape)).astype(dtype) for name, shape in shapes.items()}


def byte_level_bpe(**model: Any) -> dict[str, Any]:
    """A tokenizer.json: END, the 256 bytes, and what a few merges make of them."""
    merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("e", "r"), ("a", "n"), ("1", "2"), ("Ġ", "Ġ")]
    tokens = [END, *byte_alphabet().values(), *("".join(merge) for merge in merges)]
    return {
        "version": "1.0",
        "added_tokens": [added(0, END)],
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL,
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [list(merge) for merge in merges],
            **model,
        },
    }


def added(index: int, content: str, **changes: Any) -> dict[str, Any]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "content": content, "special": True, **plain, **changes}


def byte_alphabet() -> dict[int, str]:
    """GPT-2's printable character for each byte."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def gguf_name(name: str) -> str:
    module, _, kind = name.rpartition(".")
    for pattern, written in _NAMES.items():
        if re.fullmatch(pattern, module):
            return f"{re.sub(pattern, written, module)}.{kind}"
    raise AssertionError(name)


def permuted(values: Array, heads: int) -> Array:
    """The rows of q and k as LlamaModel.permute of llama.cpp's converter has them."""
    return values.reshape(heads, 2, len(values) // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


SCHEMES_OF_GGUF_PY = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1")


def in_gguf(tensors: Mapping[str, Array], config: Mapping[str, Any], scheme: str) -> dict[str, tuple[str, Array]]:
    """GGUF's name of each tensor -> its type and the bytes that gguf-py makes of it; rows are shorter than 256."""
    tied, found = config["tie_word_embeddings"], {}
    for name, values in tensors.items():
        wide = values.astype(np.float32)
        if ".q_proj." in name:
            wide = permuted(wide, config["num_attention_heads"])
        if ".k_proj." in name:
            wide = permuted(wide, config["num_key_value_heads"])
        logits = name == ("model.embed_tokens.weight" if tied else "lm_head.weight")
        kind = "F32" if wide.ndim == 1 else "Q8_0" if scheme.startswith("q") and logits else scheme.upper()
        stored = gguf.quants.quantize(np.ascontiguousarray(wide), GGMLQuantizationType[kind])
        found[gguf_name(name)] = kind, np.frombuffer(stored.tobytes(), np.uint8)
    return found


def read_gguf(path: Path) -> tuple[dict[str, tuple[str, Array]], dict[str, Any]]:
    """What the gguf library reads: each tensor's type and bytes, and each key's content."""
    reader = GGUFReader(path)
    tensors = {t.name: (t.tensor_type.name, np.frombuffer(t.data.tobytes(), np.uint8)) for t in reader.tensors}
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    return tensors, fields
