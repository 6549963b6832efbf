"""The hash over the published layout: one whichever layout weights are stored in, and told apart from all others."""

import struct
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.content.hashing import FolderHashes, hash_checkpoint, hash_folder, recall_checkpoint
from lineal.checkpoint.content.identity import merkle_root
from lineal.checkpoint.content.memory import HashMemory
from lineal.checkpoint.content.stretches import WINDOW_BYTES
from lineal.checkpoint.reader import open_checkpoint
from tests.builders import make_checkpoint

EXPERTS, WIDTH = 3, 8
CONFIG = {"model_type": "qwen3_moe", "num_experts": EXPERTS}
BLOCK = "model.layers.0.mlp"


def mixture(folder: Path, *, height: int = 6, fused: bool, seed: int = 0, config: object = None) -> Path:
    """One layer of a mixture; gates and ups of `height` rows."""
    random = np.random.default_rng(seed)
    gate, up = (random.standard_normal((EXPERTS, height, WIDTH)).astype(np.float32) for _ in range(2))
    down = random.standard_normal((EXPERTS, WIDTH, height)).astype(np.float32)
    norm = random.standard_normal(WIDTH).astype(np.float32)
    tensors = {"model.norm.weight": norm}
    if fused:
        tensors[f"{BLOCK}.experts.gate_up_proj"] = np.concatenate((gate, up), 1)
        tensors[f"{BLOCK}.experts.down_proj"] = down
    else:
        for name, stack in (("gate_proj", gate), ("up_proj", up), ("down_proj", down)):
            tensors |= {f"{BLOCK}.experts.{e}.{name}.weight": stack[e] for e in range(EXPERTS)}
    return make_checkpoint(folder, tensors, config=CONFIG if config is None else config)


def text(written: str) -> bytes:
    return struct.pack("<I", len(written)) + written.encode()


def test_it_is_what_is_written_of_it(tmp_path: Path) -> None:
    """A transcription: leaves as those of a model hash, of the published tensors, sorted by name."""
    published = open_checkpoint(mixture(tmp_path / "a", fused=False))
    leaves: list[bytes] = []
    for name in sorted(published):
        spec = published[name]
        raw = spec.path.read_bytes()[spec.offset : spec.offset + spec.byte_length]
        shape = struct.pack(f"<I{len(spec.shape)}Q", len(spec.shape), *spec.shape)
        kind = text(spec.dtype) + shape + struct.pack("<Q", spec.byte_length)
        leaves.append(blake3(b"\x00" + text("lineal.tensor.1") + text(name) + kind + blake3(raw).digest()).digest())
    wanted = blake3(text("lineal.layout.1") + struct.pack("<I", 1) + merkle_root(leaves)).digest()
    for fused in (False, True):
        assert hash_folder(mixture(tmp_path / f"m{fused}", fused=fused)).layout_hash == wanted


@pytest.mark.parametrize("height", [6, 3 * WINDOW_BYTES // (2 * 4 * WIDTH)], ids=["small", "windows"])
@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_one_for_both_layouts_and_no_model_hash(height: int, threads: int, tmp_path: Path) -> None:
    apart, fused = (mixture(tmp_path / f"{fused}", height=height, fused=fused) for fused in (False, True))
    hashes = [hash_folder(folder, threads=threads) for folder in (apart, fused)]
    assert hashes[0].layout_hash == hashes[1].layout_hash
    assert hashes[0].published == hashes[1].published == hashes[0].manifest.leaves
    assert hashes[0].manifest.model_hash != hashes[1].manifest.model_hash
    other = hash_folder(mixture(tmp_path / "other", height=height, fused=True, seed=1))
    assert other.layout_hash not in {None, hashes[0].layout_hash}


def test_every_byte_is_read_once_for_both_hashes(tmp_path: Path) -> None:
    folder = mixture(tmp_path / "m", height=3 * WINDOW_BYTES // (2 * 4 * WIDTH), fused=True)
    counts: list[int] = []
    hash_folder(folder, bytes_read=counts.append)
    assert sum(counts) == sum(spec.byte_length for spec in open_checkpoint(folder).values())


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "unheard_of", "num_experts": EXPERTS},
        {"model_type": "qwen3_moe", "num_experts": EXPERTS + 1},
        {"model_type": "qwen3_moe"},
    ],
)
def test_where_the_layout_is_not_known_there_is_none_and_all_else_is_hashed(config: object, tmp_path: Path) -> None:
    found = hash_folder(mixture(tmp_path / "m", fused=True, config=config))
    assert found.layout_hash is None
    assert found.manifest.leaves == hash_folder(mixture(tmp_path / "n", fused=True)).manifest.leaves


def aged(folder: Path) -> Path:
    """As if written long ago: what changed just now is not remembered."""
    for path in folder.iterdir():
        import os

        os.utime(path, ns=(10**18, 10**18))
    return folder


def test_it_is_remembered_with_the_file(tmp_path: Path) -> None:
    memory = HashMemory(tmp_path / "memory" / "hashes.db")
    folder = aged(mixture(tmp_path / "m", fused=True))
    first = hash_folder(folder, memory=memory)
    counts: list[int] = []
    assert hash_folder(folder, memory=memory, bytes_read=counts.append) == first
    assert counts == []
    assert recall_checkpoint(open_checkpoint(folder), memory) == first
    assert first.layout_hash is not None


def test_what_an_earlier_lineal_remembered_is_read_again_for_it(tmp_path: Path) -> None:
    memory = HashMemory(tmp_path / "memory" / "hashes.db")
    folder = aged(mixture(tmp_path / "m", fused=True))
    (path,) = folder.glob("*.safetensors")
    wanted = hash_folder(folder)
    memory.remember(path, path.stat(), {leaf.name: leaf.data_hash for leaf in wanted.manifest.leaves})
    assert recall_checkpoint(open_checkpoint(folder), memory) is None
    assert hash_folder(folder, memory=memory) == wanted


def test_known_parts_are_taken(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(mixture(tmp_path / "m", fused=True))
    wanted: FolderHashes = hash_checkpoint(checkpoint)
    known = {leaf.name: leaf.data_hash for leaf in wanted.manifest.leaves}
    parts = {leaf.name: leaf.data_hash for leaf in wanted.published or ()}
    counts: list[int] = []
    assert hash_checkpoint(checkpoint, known=known, known_parts=parts, bytes_read=counts.append) == wanted
    assert counts == []


def test_what_was_read_otherwise_is_told_by_name(tmp_path: Path) -> None:
    found = hash_folder(mixture(tmp_path / "m", fused=True))
    part = f"{BLOCK}.experts.1.up_proj.weight"
    known = {leaf.name: leaf.data_hash for leaf in found.published or ()}
    assert found.differing({part: known[part], "model.norm.weight": known["model.norm.weight"]}) is None
    assert found.differing({part: bytes(32)}) == part
    assert found.differing({f"{BLOCK}.experts.down_proj": bytes(32)}) == f"{BLOCK}.experts.down_proj"
