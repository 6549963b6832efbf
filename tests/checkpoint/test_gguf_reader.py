"""A GGUF opens as a model: alone, or as the one of its folder."""

import os
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.content.hashing import hash_folder, recall_checkpoint
from lineal.checkpoint.content.memory import HashMemory
from lineal.checkpoint.quantized.counted import parameters_of
from lineal.checkpoint.reader import Checkpoint, is_lone_file, open_checkpoint
from lineal.errors import CheckpointError
from tests.builders import make_checkpoint, random_tensors
from tests.ggufs import random_gguf, random_values, raw_gguf


def refuse(place: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(place)


def test_a_file_is_a_model_whatever_lies_beside_it(tmp_path: Path) -> None:
    random_gguf(tmp_path / "other.gguf", 2)
    make_checkpoint(tmp_path, random_tensors(1, {"a": (2,)}))
    checkpoint = open_checkpoint(random_gguf(tmp_path / "x.gguf"))
    assert (checkpoint.form, checkpoint.weight_files, checkpoint.lone) == ("gguf", ("x.gguf",), True)
    assert (checkpoint.folder, checkpoint.path) == (tmp_path, tmp_path / "x.gguf")
    assert checkpoint.keys() == random_values(1).keys()
    assert checkpoint.metadata["llama.block_count"].content == 1


def test_a_folder_with_one_gguf_is_a_model(tmp_path: Path) -> None:
    random_gguf(tmp_path / "x.gguf")
    (tmp_path / "README.md").write_text("card")
    checkpoint = open_checkpoint(tmp_path)
    assert (checkpoint.form, checkpoint.weight_files, checkpoint.lone) == ("gguf", ("x.gguf",), False)
    assert checkpoint.folder == checkpoint.path == tmp_path


def test_a_folder_of_safetensors_is_that_model_even_with_a_gguf_in_it(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, random_tensors(1, {"a": (2,)}))
    random_gguf(tmp_path / "x.gguf")
    checkpoint = open_checkpoint(tmp_path)
    assert (checkpoint.form, checkpoint.metadata, checkpoint.path) == ("full", {}, tmp_path)
    assert set(hash_folder(tmp_path).files) == {"config.json", "model.safetensors", "x.gguf"}


def test_a_folder_with_several_is_refused_with_their_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        random_gguf(tmp_path / f"{name}.gguf")
    refuse(tmp_path, r"2 GGUF files \(a\.gguf, b\.gguf\): name the one that is meant")


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(raw_gguf(version=9))
    for place in (tmp_path, tmp_path / "x.gguf"):
        refuse(place, r"x\.gguf: GGUF version 9")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path / "x.gguf", r"x\.gguf: no such folder or GGUF")


def test_only_a_file_or_what_may_become_one_is_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "folder.gguf").mkdir()
    assert [is_lone_file(tmp_path / name) for name in ("new.gguf", "folder.gguf", "new", ".gguf")] == [
        True,
        False,
        False,
        False,
    ]
    random_gguf(tmp_path / "folder.gguf" / "folder.gguf")
    assert open_checkpoint(tmp_path / "folder.gguf").path == tmp_path / "folder.gguf"


def test_a_gguf_has_no_config(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(random_gguf(tmp_path / "x.gguf"))
    with pytest.raises(CheckpointError, match=r"x\.gguf: a GGUF has metadata of its own and no config\.json"):
        _ = checkpoint.config


def test_hashes_are_remembered_as_those_of_any_weights(tmp_path: Path) -> None:
    path = random_gguf(tmp_path / "models" / "x.gguf")
    memory, read = HashMemory(tmp_path / "memory.db"), list[int]()
    os.utime(path, ns=(10**18, 10**18))
    first = hash_folder(path, memory=memory, bytes_read=read.append)
    assert sum(read) == open_checkpoint(path).tensor_bytes
    assert hash_folder(path, memory=memory, bytes_read=read.append) == first
    assert sum(read) == open_checkpoint(path).tensor_bytes
    assert recall_checkpoint(open_checkpoint(path), memory) == first
    random_gguf(path, 2)
    assert recall_checkpoint(open_checkpoint(path), memory) is None


def test_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    checkpoint: Checkpoint = open_checkpoint(random_gguf(tmp_path / "x.gguf"))
    assert bytes(checkpoint.read("output_norm.weight")) == random_values(1)["output_norm.weight"][0].tobytes()
    assert parameters_of(checkpoint) == sum(int(np.size(values)) for values, _ in random_values(1).values())
