"""Writes golden.json from the plain implementation: python -m tests.identity.generate

The file is what identities are held to from version to version. A change of it is a change of every hash in every
registry, so it is written again only together with new version tags.
"""

import json
from pathlib import Path
from typing import Any

from tests.identity import plain

GOLDEN = Path(__file__).with_name("golden.json")

VALUES: list[Any] = [
    None,
    True,
    [],
    {},
    0,
    -0.0,
    -1,
    1.0,
    1.5,
    0.1,
    1e-7,
    0.000001,
    123456789012345680000.0,
    1e21,
    2**53 - 1,
    -(2**53 - 1),
    2**53,
    2**64,
    -(2**53),
    "",
    'a\u0000\u001f\u007f\u2028/\\"',
    "\u00e9e\u0301\U0001f600",
    {"b": 1, "a": [2, {"d": None, "c": 0.5}], "": {}},
    {"\ufb33": 1, "\U0001f600": 2, "z": 3, "\u00f6": 4},
]

HASHES = [f"b3:{byte:02x}" + "00ff" * 15 + "7f" for byte in (1, 2, 3)]

STEPS: list[dict[str, Any]] = [
    {"type": "original", "method": "import", "version": 1, "inputs": [], "options": {}, "data": []},
    {
        "type": "fine-tune",
        "method": "lora",
        "version": 2,
        "inputs": [{"role": "parent", "model": HASHES[0]}],
        "options": {"epochs": 3, "rank": 8, "alpha": 16.0, "target_modules": ["q_proj"], "seed": "42"},
        "data": [{"name": "code.jsonl", "hash": HASHES[2]}],
    },
    {
        "type": "distillation",
        "method": "logits",
        "version": 1,
        "inputs": [
            {"role": "student", "model": HASHES[0]},
            {"role": "teacher", "model": HASHES[2]},
            {"role": "teacher", "model": HASHES[1]},
        ],
        "options": {"temperature": 2.0, "alpha": 0.5, "seed": str(2**63)},
        "data": [{"name": "a.txt", "hash": HASHES[0]}, {"name": "\u00e9.txt", "hash": HASHES[1]}],
    },
    {
        "type": "merge",
        "method": "ties",
        "version": 1,
        "inputs": [{"role": "base", "model": HASHES[0]}, {"role": "parent", "model": HASHES[1]}],
        "options": {"density": 0.2, "weights": [0.5, 0.5], "lambda": 1.0, "normalize": True},
        "data": [],
    },
    {
        "type": "quantize",
        "method": "round",
        "version": 1,
        "inputs": [{"role": "parent", "model": HASHES[1]}],
        "options": {"scheme": "q8_0"},
        "data": [],
    },
    {
        "type": "prune",
        "method": "magnitude",
        "version": 1,
        "inputs": [{"role": "parent", "model": HASHES[1]}],
        "options": {"sparsity": 0.5},
        "data": [],
    },
]

TENSORS: list[tuple[str, str, tuple[int, ...], bytes]] = [
    ("model.embed_tokens.weight", "BF16", (2, 3), bytes(range(12))),
    ("scalar", "F32", (), b"\x00\x00\x80\x3f"),
    ("empty", "F16", (0, 4), b""),
    ("mask", "BOOL", (3,), b"\x01\x00\x01"),
    ("\u00e9.weight", "F64", (1, 1, 1), bytes(8)),
]

CONFIG = {
    "model_type": "llama",
    "rms_norm_eps": 1e-06,
    "vocab_size": 32,
    "rope_theta": 10000.0,
    "transformers_version": "5.0.0",
    "_name_or_path": "/home/me/model",
}


GGUF: dict[str, tuple[Any, ...]] = {
    "general.architecture": (8, "llama"),
    "general.quantization_version": (4, 2),
    "llama.rope.freq_base": (6, 10000.0),
    "tokenizer.ggml.add_bos_token": (7, True),
    "tokenizer.ggml.tokens": (9, ["<s>", "\u00e9", ""], 8),
    "tokenizer.ggml.token_type": (9, [3, 1, 1], 5),
    "x.every": (11, -(2**63)),
    "x.largest": (10, 2**64 - 1),
    "x.double": (12, 0.1),
    "x.small": (9, [-128, 127], 1),
}
"""Key -> kind, content, and of an array the kind of its items."""

GGUF_TENSORS: list[tuple[str, str, tuple[int, ...], bytes]] = [
    ("token_embd.weight", "Q8_0", (2, 32), bytes(range(68))),
    ("output_norm.weight", "F32", (3,), bytes(12)),
]


def golden() -> dict[str, Any]:
    tensors = {name: (dtype, shape, data) for name, dtype, shape, data in TENSORS}
    package = {"config.json": plain.config_hash(CONFIG), "tokenizer.json": plain.blake3(b"{}").digest()}
    weights = plain.weights(tensors)
    return {
        "canonical": [plain.canonical(value) for value in VALUES],
        "derivation_ids": [plain.derivation_id(step) for step in STEPS],
        "leaves": [plain.leaf(*tensor).hex() for tensor in TENSORS],
        "trees": [plain.tree([bytes([i]) * 32 for i in range(count)]).hex() for count in range(21)],
        "config": package["config.json"].hex(),
        "weights": weights.hex(),
        "model": plain.model(weights, package).hex(),
        "gguf": {key: plain.gguf_entry(*value).hex() for key, value in GGUF.items()},
        "gguf model": plain.model(
            plain.weights({name: tuple(rest) for name, *rest in GGUF_TENSORS}),
            {key: plain.gguf_entry(*value) for key, value in GGUF.items()},
        ).hex(),
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n")
