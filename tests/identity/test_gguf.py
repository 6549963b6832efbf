"""A GGUF by content: tensors and the keys that say what they mean, not how the file is laid out or who made it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from gguf import GGUFValueType

from lineal.checkpoint.content.hashing import FileHash, FolderHashes, hash_folder
from lineal.checkpoint.content.identity import Leaf, manifest_of
from lineal.checkpoint.headers.gguf_metadata import Value, gguf_package
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from tests.ggufs import METADATA, Typed, random_gguf, random_values, write_gguf
from tests.identity import plain
from tests.identity.generate import GGUF, GGUF_TENSORS, GOLDEN

KINDS = GGUFValueType


def golden(entry: str) -> Any:
    return json.loads(GOLDEN.read_text())[entry]


def value_of(kind: int, content: Any, items: int | None = None) -> Value:
    if items is None:
        return Value(KINDS(kind), content)
    return Value(KINDS(kind), tuple(content), KINDS(items))


def model_hash(place: Path) -> bytes:
    return hash_folder(place, threads=2).manifest.model_hash


def test_entries_and_the_model_are_those_of_the_golden_file() -> None:
    package = gguf_package({key: value_of(*value) for key, value in GGUF.items()})
    assert {key: digest.hex() for key, digest in package.items()} == golden("gguf")
    leaves = [Leaf(name, dtype, shape, len(data), blake3(data).digest()) for name, dtype, shape, data in GGUF_TENSORS]
    assert manifest_of(leaves, package).model_hash.hex() == golden("gguf model")


def test_the_entry_of_the_number_one_is_this_one() -> None:
    entry = gguf_package({"llama.block_count": Value(KINDS.UINT32, 1)})["llama.block_count"]
    assert entry == blake3(b"\4\0\0\0\1\0\0\0").digest()


def test_a_file_hashes_as_the_plain_implementation_hashes_it(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(random_gguf(tmp_path / "x.gguf"))
    weights = plain.weights({s.name: (s.dtype, s.shape, bytes(checkpoint.read(s.name))) for s in checkpoint.values()})
    package = {
        key: plain.gguf_entry(*value)
        for key, value in METADATA.items()
        if key not in {"general.name", "general.file_type"}
    }
    manifest = hash_folder(tmp_path / "x.gguf").manifest
    assert manifest.package == package
    assert manifest.model_hash == plain.model(weights, package)


MAKERS = """
    name author version organization finetune basename description quantized_by size_label license license.name
    license.link url doi uuid repo_url source.url source.huggingface.repository base_model.0.name
    base_model.0.organization dataset.0.name
"""
PROVENANCE: dict[str, Typed] = {
    **{f"general.{key}": (KINDS.STRING, "x") for key in MAKERS.split()},
    "general.base_model.count": (KINDS.UINT32, 1),
    "general.tags": (KINDS.ARRAY, ["x"], KINDS.STRING),
    "general.languages": (KINDS.ARRAY, ["en"], KINDS.STRING),
    "general.datasets": (KINDS.ARRAY, ["x"], KINDS.STRING),
    "general.file_type": (KINDS.UINT32, 2),
    "split.count": (KINDS.UINT16, 0),
    "quantize.imatrix.file": (KINDS.STRING, "/home/me/imatrix.dat"),
}


@pytest.mark.parametrize("key", PROVENANCE)
def test_who_made_it_and_from_what_does_not_count(tmp_path: Path, key: str) -> None:
    without = {k: v for k, v in METADATA.items() if k != key}
    plain_one = random_gguf(tmp_path / "a.gguf", metadata=without)
    told = random_gguf(tmp_path / "b.gguf", metadata={**without, key: PROVENANCE[key]})
    assert model_hash(told) == model_hash(plain_one)
    assert hash_folder(told).files["b.gguf"] != hash_folder(plain_one).files["a.gguf"]


MEANING: dict[str, Typed] = {
    "general.type": (KINDS.STRING, "model"),
    "general.quantization_version": (KINDS.UINT32, 2),
    "general.sampling.temp": (KINDS.FLOAT32, 0.5),
    "general.something_new": (KINDS.STRING, "x"),
    "general.names": (KINDS.STRING, "x"),
    "llama.vocab_size": (KINDS.UINT32, 3),
    "llama.block_count": (KINDS.UINT32, 2),
    "tokenizer.chat_template": (KINDS.STRING, "{{ x }}"),
    "tokenizer.ggml.tokens": (KINDS.ARRAY, ["<s>", "e", ""], KINDS.STRING),
    "tokenizer.ggml.scores": (KINDS.ARRAY, [0.0, -1.5, 2.0], KINDS.FLOAT64),
    "llama.rope.freq_base": (KINDS.FLOAT64, 10000.0),
    "general.architecture": (KINDS.STRING, "qwen2"),
    "author": (KINDS.STRING, "x"),
}


@pytest.mark.parametrize("key", MEANING)
def test_every_other_key_its_kind_and_its_content_count(tmp_path: Path, key: str) -> None:
    before = random_gguf(tmp_path / "a.gguf")
    assert model_hash(random_gguf(tmp_path / "b.gguf", metadata={**METADATA, key: MEANING[key]})) != model_hash(before)


def test_the_order_of_keys_and_tensors_and_the_alignment_do_not_count(tmp_path: Path) -> None:
    first = random_gguf(tmp_path / "a.gguf")
    tensors, keys = random_values(1), list(METADATA)
    reordered = {name: tensors[name] for name in sorted(tensors)}
    second = write_gguf(tmp_path / "b.gguf", reordered, {k: METADATA[k] for k in reversed(keys)}, alignment=256)
    assert first.read_bytes() != second.read_bytes()
    assert model_hash(first) == model_hash(second)


@pytest.mark.parametrize("change", ["bit", "name", "type", "shape"])
def test_a_change_of_any_tensor_counts(tmp_path: Path, change: str) -> None:
    tensors = random_values(1)
    values, kind = tensors.pop("token_embd.weight")
    match change:
        case "bit":
            values = values.copy()
            values[1, 3] += 1
        case "type":
            kind = "Q4_0"
        case "shape":
            values = values.reshape(6, 32)
    tensors["output.weight" if change == "name" else "token_embd.weight"] = (values, kind)
    assert model_hash(write_gguf(tmp_path / "b.gguf", tensors)) != model_hash(random_gguf(tmp_path / "a.gguf"))


def test_a_file_alone_and_a_folder_around_it_are_the_same_model(tmp_path: Path) -> None:
    alone = hash_folder(random_gguf(tmp_path / "x.gguf"))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "LICENSE").write_text("MIT")
    beside, folder = hash_folder(tmp_path / "x.gguf"), hash_folder(tmp_path)
    assert beside == alone
    assert alone.manifest == folder.manifest
    assert (alone.licence, set(alone.files)) == (None, {"x.gguf"})
    assert (folder.licence is not None, set(folder.files)) == (True, {"x.gguf", "config.json", "LICENSE"})


def test_the_name_of_a_file_is_no_part_of_the_model(tmp_path: Path) -> None:
    first = random_gguf(tmp_path / "x.gguf")
    second = Path(shutil.copy(first, tmp_path / "y.gguf"))
    assert hash_folder(first).manifest == hash_folder(second).manifest
    assert hash_folder(first).files["x.gguf"] == hash_folder(second).files["y.gguf"]


def test_a_flipped_bit_anywhere_is_refused_or_changes_the_hash_of_its_tensor_or_of_the_file(tmp_path: Path) -> None:
    """The padding between tensors, which no tensor covers, included."""
    path = random_gguf(tmp_path / "x.gguf")
    content, before = path.read_bytes(), hash_folder(path)
    covered = {s.offset + i: s.name for s in open_checkpoint(path).values() for i in range(s.byte_length)}
    assert len(content) - max(covered) > 1
    for position in range(0, len(content), 3):
        flipped = bytearray(content)
        flipped[position] ^= 0x10
        path.write_bytes(flipped)
        try:
            after = hash_folder(path)
        except CheckpointError:
            assert position not in covered
            continue
        assert differences(before, after) == {covered.get(position, "the file")}


def differences(before: FolderHashes, after: FolderHashes) -> set[str]:
    """Which leaves differ, and whether the file outside them does."""
    if before.files != after.files:
        assert isinstance(after.files["x.gguf"], FileHash)
        return {"the file"}
    return {leaf.name for leaf, old in zip(after.manifest.leaves, before.manifest.leaves, strict=True) if leaf != old}
