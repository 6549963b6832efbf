"""Tensors that are hashed together have the hashes they have alone."""

from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.content import stretches
from lineal.checkpoint.content.hashing import hash_tensors
from lineal.checkpoint.content.stretches import WINDOW_BYTES
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from tests.builders import make_checkpoint

COUNTS = (0, 1, 5, 700, 5000, 0, 3, 2500, 300_000, 1, 0, 262_144, 9)


@pytest.mark.parametrize("window", [1, 1000, 10_000, WINDOW_BYTES])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_tensor_has_the_hash_of_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int, threads: int
) -> None:
    draw = np.random.default_rng(1)
    tensors = {f"t{index:02}": draw.standard_normal(count, np.float32) for index, count in enumerate(COUNTS)}
    folder = make_checkpoint(tmp_path / "model", tensors, shards=2)
    monkeypatch.setattr(stretches, "WINDOW_BYTES", window)
    read: list[int] = []
    found = hash_tensors(open_checkpoint(folder).values(), threads=threads, bytes_read=read.append)
    assert found == {name: blake3(values.tobytes()).digest() for name, values in tensors.items()}
    assert sum(read) == sum(values.nbytes for values in tensors.values())


def test_a_stretch_is_no_longer_than_a_window_unless_it_is_one_tensor(tmp_path: Path) -> None:
    tensors = {f"t{index:02}": np.zeros(count, np.float32) for index, count in enumerate(COUNTS)}
    specs = open_checkpoint(make_checkpoint(tmp_path / "model", tensors))
    found = stretches.stretches(specs.values())
    assert sorted(spec.name for stretch in found for spec in stretch) == sorted(tensors)
    for stretch in found:
        length = stretch[-1].offset + stretch[-1].byte_length - stretch[0].offset
        assert length <= WINDOW_BYTES or len(stretch) == 1


def test_a_file_that_became_shorter_is_told(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", {f"t{n}": np.zeros(100, np.float32) for n in range(9)})
    specs = list(open_checkpoint(folder).values())
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-50])
    with pytest.raises(CheckpointError, match="it changed while it was read"):
        hash_tensors(specs)
