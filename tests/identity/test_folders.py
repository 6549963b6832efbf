"""What a model is does not depend on how it is stored; what it computes does."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.package import content_hash
from tests.builders import CONFIG, Array, make_checkpoint, make_tokenizer, random_tensors, write_json
from tests.identity import plain

SHAPES = {"a.weight": (3, 5), "b.weight": (4,), "c": (), "d": (0, 2), "e": (2, 2, 2)}


@pytest.fixture
def tensors() -> dict[str, Array]:
    return random_tensors(1, SHAPES)


def model_hash(folder: Path) -> str:
    return hash_folder(folder, threads=2).manifest.model_hash.hex()


def test_a_folder_hashes_as_the_plain_implementation_hashes_it(tmp_path: Path, tensors: dict[str, Array]) -> None:
    folder = make_checkpoint(tmp_path / "a", tensors)
    make_tokenizer(folder, {"x": 0})
    weights = plain.weights({name: ("F32", t.shape, t.tobytes()) for name, t in tensors.items()})
    package = {
        "config.json": plain.config_hash(CONFIG),
        "tokenizer.json": blake3((folder / "tokenizer.json").read_bytes()).digest(),
    }
    manifest = hash_folder(folder).manifest
    assert manifest.weights_hash == weights
    assert manifest.package == package
    assert manifest.model_hash == plain.model(weights, package)


@pytest.mark.parametrize("shards", [2, 3, 5])
def test_shards_do_not_change_the_hash(tmp_path: Path, tensors: dict[str, Array], shards: int) -> None:
    whole = model_hash(make_checkpoint(tmp_path / "whole", tensors))
    assert model_hash(make_checkpoint(tmp_path / "sharded", tensors, shards=shards)) == whole


def test_the_order_of_a_header_and_its_metadata_do_not_change_the_hash(
    tmp_path: Path, tensors: dict[str, Array]
) -> None:
    first = make_checkpoint(tmp_path / "a", tensors)
    reordered = {name: tensors[name] for name in sorted(tensors, reverse=True)}
    second = make_checkpoint(tmp_path / "b", reordered, metadata={"format": "pt", "by": "someone"})
    assert (first / "model.safetensors").read_bytes() != (second / "model.safetensors").read_bytes()
    assert model_hash(first) == model_hash(second)


def changed(tensors: dict[str, Array], change: str) -> dict[str, Array]:
    name, values = "a.weight", tensors["a.weight"]
    match change:
        case "name":
            return {("z.weight" if key == name else key): value for key, value in tensors.items()}
        case "shape":
            return {**tensors, name: values.reshape(5, 3)}
        case "dtype":
            return {**tensors, name: values.view(np.int32)}
        case "bit":
            flipped = values.copy()
            flipped.view(np.uint32)[2, 4] ^= 1
            return {**tensors, name: flipped}
        case "one less":
            return {key: value for key, value in tensors.items() if key != "d"}
    raise AssertionError(change)


@pytest.mark.parametrize("change", ["name", "shape", "dtype", "bit", "one less"])
def test_a_change_of_any_tensor_changes_the_hash(tmp_path: Path, tensors: dict[str, Array], change: str) -> None:
    before = model_hash(make_checkpoint(tmp_path / "a", tensors))
    assert model_hash(make_checkpoint(tmp_path / "b", changed(tensors, change))) != before


def test_a_cast_that_keeps_every_value_is_another_model(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    wide = model_hash(make_checkpoint(tmp_path / "a", {"w": values}))
    assert model_hash(make_checkpoint(tmp_path / "b", {"w": values.astype(ml_dtypes.bfloat16)})) != wide


@pytest.mark.parametrize("file", ["config.json", "generation_config.json", "adapter_config.json"])
def test_stamps_of_libraries_and_formatting_do_not_change_a_config(tmp_path: Path, file: str) -> None:
    write_json(tmp_path / file, {"r": 8, "nested": {"a": 1.0}})
    before = content_hash(tmp_path, file)
    stamped = {"transformers_version": "5", "_name_or_path": "a", "base_model_name_or_path": "b", "revision": "c"}
    (tmp_path / file).write_text(json.dumps({"nested": {"a": 1}, **stamped, "r": 8}, indent=4))
    assert content_hash(tmp_path, file) == before
    assert before == plain.config_hash({"r": 8, "nested": {"a": 1.0}})


@pytest.mark.parametrize(
    "config", [{**CONFIG, "hidden_size": 9}, {**CONFIG, "rope_theta": 1e4}, {**CONFIG, "tie_word_embeddings": True}]
)
def test_any_other_entry_of_a_config_counts(tmp_path: Path, tensors: dict[str, Array], config: dict[str, Any]) -> None:
    before = model_hash(make_checkpoint(tmp_path / "a", tensors))
    assert model_hash(make_checkpoint(tmp_path / "b", tensors, config)) != before


def test_a_tokenizer_is_hashed_byte_for_byte(tmp_path: Path, tensors: dict[str, Array]) -> None:
    folder = make_checkpoint(tmp_path / "a", tensors)
    make_tokenizer(folder, {"x": 0, "y": 1})
    before = model_hash(folder)
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    assert model_hash(folder) != before


@pytest.mark.parametrize("file", ["README.md", "lineal.json", "LICENSE", "model.safetensors.md", ".hidden.py"])
def test_cards_records_and_licences_are_not_part_of_the_model(
    tmp_path: Path, tensors: dict[str, Array], file: str
) -> None:
    folder = make_checkpoint(tmp_path / "a", tensors)
    before = model_hash(folder)
    (folder / file).write_text("{}")
    assert model_hash(folder) == before
