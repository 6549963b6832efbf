"""The hashes of everything in a folder: tensors, package, licence, and every file."""

import os
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.content.hashing import FileHash, hash_checkpoint, hash_folder, hash_tensors
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from tests.builders import make_checkpoint, make_tokenizer, random_tensors

TENSORS = random_tensors(1, {"a": (700, 800), "b": (4,), "c": (), "d": (0, 2)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "model", TENSORS, shards=2)


@pytest.mark.parametrize("threads", [1, 2, 3, None])
def test_data_hashes_are_of_the_raw_bytes(folder: Path, threads: int | None) -> None:
    found = hash_tensors(open_checkpoint(folder).values(), threads=threads)
    assert found == {name: blake3(values.tobytes()).digest() for name, values in TENSORS.items()}


def test_every_byte_of_the_tensors_is_counted_once(folder: Path) -> None:
    counts: list[int] = []
    hash_folder(folder, bytes_read=counts.append)
    assert sum(counts) == sum(values.nbytes for values in TENSORS.values())


def test_what_is_known_already_is_not_read(folder: Path) -> None:
    checkpoint = open_checkpoint(folder)
    counts: list[int] = []
    known = {name: blake3(TENSORS[name].tobytes()).digest() for name in ("a", "d")}
    assert hash_checkpoint(checkpoint, known=known, bytes_read=counts.append) == hash_folder(folder)
    assert sum(counts) == 4 * 5


def test_every_file_has_a_hash_weights_by_their_header(folder: Path) -> None:
    make_tokenizer(folder, {"x": 0})
    (folder / "README.md").write_text("card")
    (folder / "pytorch_model.bin").write_bytes(bytes(3 << 20))
    files = hash_folder(folder).files
    for name in ("README.md", "config.json", "tokenizer.json", "pytorch_model.bin", "model.safetensors.index.json"):
        content = (folder / name).read_bytes()
        assert files[name] == FileHash(len(content), blake3(content).digest())
    for name in open_checkpoint(folder).weight_files:
        content = (folder / name).read_bytes()
        header = content[: 8 + int.from_bytes(content[:8], "little")]
        assert files[name] == FileHash(len(content), blake3(header).digest())
    assert set(files) == {path.name for path in folder.iterdir()}


def test_the_record_itself_and_hidden_files_have_none(folder: Path) -> None:
    before = hash_folder(folder).files
    (folder / "lineal.json").write_text("{}")
    (folder / ".gitattributes").write_text("")
    assert hash_folder(folder).files == before


@pytest.mark.parametrize("name", ["LICENSE", "LICENSE.txt", "licence.md", "NOTICE", "COPYING"])
def test_the_licence_has_a_hash_of_its_own(folder: Path, name: str) -> None:
    before = hash_folder(folder)
    (folder / name).write_text("MIT")
    with_licence = hash_folder(folder)
    (folder / name).write_text("Apache")
    assert before.licence is None
    assert with_licence.licence not in {None, hash_folder(folder).licence}
    assert with_licence.manifest == before.manifest


def test_the_name_of_a_licence_file_counts(folder: Path) -> None:
    (folder / "LICENSE").write_text("MIT")
    before = hash_folder(folder).licence
    (folder / "LICENSE").rename(folder / "NOTICE")
    assert hash_folder(folder).licence != before


def test_a_flipped_bit_anywhere_changes_exactly_one_hash(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", {"a": np.arange(3, dtype=np.float32), "b": np.ones(2, np.float32)})
    (folder / "README.md").write_text("card")
    before = hash_folder(folder)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for position in range(0, len(content), 5):
            flipped = bytearray(content)
            flipped[position] ^= 0x10
            path.write_bytes(flipped)
            try:
                after = hash_folder(folder)
            except CheckpointError:  # a header or config that no longer parses
                continue
            leaves = [
                leaf.name
                for leaf, old in zip(after.manifest.leaves, before.manifest.leaves, strict=False)
                if leaf != old
            ]
            files = [name for name in before.files if after.files.get(name) != before.files[name]]
            in_data = path.suffix == ".safetensors" and position >= len(content) - 20
            assert (len(leaves), files) == ((1, []) if in_data else (len(leaves), [path.name]))
        path.write_bytes(content)


def test_a_folder_that_changes_meanwhile_is_an_error(folder: Path) -> None:
    checkpoint = open_checkpoint(folder)
    os.truncate(checkpoint["a"].path, checkpoint["a"].offset + 100)
    with pytest.raises(CheckpointError, match="changed while it was read"):
        hash_checkpoint(checkpoint)
