"""Models for tests, written by independent code: the safetensors library and json, never lineal's own writer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import deserialize
from safetensors.numpy import save

Array = np.ndarray[Any, Any]

CONFIG: Mapping[str, Any] = {"model_type": "llama", "hidden_size": 8, "tie_word_embeddings": False}

NUMPY: Mapping[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}
"""safetensors' names of dtypes, and numpy's types for them."""


def make_checkpoint(
    folder: Path,
    tensors: Mapping[str, Array],
    config: Mapping[str, Any] | None = None,
    *,
    shards: int = 1,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A model folder: `tensors` in their order, dealt round-robin to `shards` files."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", CONFIG if config is None else config)
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, metadata)
        return folder
    names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    weight_map = {name: names[i % shards] for i, name in enumerate(tensors)}
    for file in names:
        write_safetensors(folder / file, {n: t for n, t in tensors.items() if weight_map[n] == file}, metadata)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_json(folder / "model.safetensors.index.json", index)
    return folder


def make_adapter(folder: Path, pairs: Mapping[str, tuple[Array, Array]], **config: Any) -> Path:
    """A PEFT LoRA adapter: module -> (A [rank, in], B [out, rank])."""
    folder.mkdir(parents=True, exist_ok=True)
    rank = next(iter(pairs.values()))[0].shape[0]
    targets = sorted({module.rpartition(".")[2] for module in pairs})
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "target_modules": targets, "bias": "none"}
    write_json(folder / "adapter_config.json", {**settings, **config})
    tensors: dict[str, Array] = {}
    for module, (a, b) in pairs.items():
        tensors[f"base_model.model.{module}.lora_A.weight"] = a
        tensors[f"base_model.model.{module}.lora_B.weight"] = b
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    return folder


def make_tokenizer(folder: Path, vocabulary: Mapping[str, int], added: Mapping[str, int] | None = None) -> None:
    tokens = [{"id": index, "content": content, "special": True} for content, index in (added or {}).items()]
    model = {"type": "BPE", "vocab": dict(vocabulary), "merges": []}
    write_json(folder / "tokenizer.json", {"version": "1.0", "added_tokens": tokens, "model": model})


def write_safetensors(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    kept = {name: np.ascontiguousarray(t).reshape(t.shape) for name, t in tensors.items()}
    path.write_bytes(save(kept, None if metadata is None else dict(metadata)))


def read_safetensors(path: Path) -> dict[str, Array]:
    """Every tensor of a file, parsed by the safetensors library."""
    found = deserialize(path.read_bytes())
    return {name: np.frombuffer(t["data"], NUMPY[t["dtype"]]).reshape(t["shape"]) for name, t in found}


def read_folder(folder: Path) -> dict[str, Array]:
    """Every tensor of a model folder, whatever its shards."""
    found: dict[str, Array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found.update(read_safetensors(path))
    return found


def write_header(path: Path, header: Any, data: bytes = b"", *, length: int | None = None) -> Path:
    """A safetensors file with any header: an object to be written as JSON, or bytes."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + data)
    return path


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def random_tensors(seed: int, shapes: Mapping[str, Sequence[int]], dtype: Any = np.float32) -> dict[str, Array]:
    """Normal values, different for every seed."""
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal(tuple(shape)).astype(dtype) for name, shape in shapes.items()}


def same_bits(left: Array, right: Array) -> bool:
    """Whether two arrays have one dtype, one shape and the same bytes, NaNs and signs of zero included."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
