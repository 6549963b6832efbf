"""A quantization of a GGUF is encoded again from that: what had the type was copied, and experts have importances."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from lineal.checkpoint.importance.files import write_importance
from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.stream import tensor_pass
from lineal.family.session import Session
from lineal.family.trust.against import Answer, verify_against
from tests.engines.architectures import make_architecture
from tests.engines.quantizations import quantize
from tests.family.test_verify_against import quantize_with, wide
from tests.ggufs import write_gguf


@pytest.mark.parametrize("scheme", ["q4_k_m", "q6_k", "q2_k"])
def test_what_its_parent_has_in_this_type_is_equal_where_it_was_copied(
    session: Session, tmp_path: Path, scheme: str
) -> None:
    parent = quantize(wide(tmp_path), tmp_path / "parent", "q4_k_m")
    file = quantize(parent, tmp_path / "out", scheme)
    assert verify_against(session, f"{file}", f"{parent}").answer is Answer.REPLAYED


def test_blocks_that_were_copied_from_elsewhere_differ(session: Session, tmp_path: Path) -> None:
    parent = quantize(wide(tmp_path), tmp_path / "parent", "q4_k_m")
    file = quantize(parent, tmp_path / "out", "q4_k_m")
    spec, content = open_checkpoint(file)["blk.1.attn_k.weight"], bytearray(file.read_bytes())
    content[spec.offset + 70] ^= 3
    _ = file.write_bytes(content)
    found = verify_against(session, f"{file}", f"{parent}")
    assert found.answer is Answer.DIFFERS
    assert [(one.name, one.blocks - one.equal) for one in found.differing] == [("blk.1.attn_k.weight", 1)]


def importances_of_experts(place: Path, file: Path) -> Path:
    random = np.random.default_rng(3)
    entries = {
        name: Importance(random.random((spec.shape[0], spec.shape[2])).astype(np.float32) ** 8, np.full(6, 7))
        for name, spec in open_checkpoint(file).items()
        if "_exps" in name
    }
    write_importance(place, ImportanceMatrix(entries, ("text.txt",), 1, 512))
    return place


@pytest.mark.parametrize("window", [1 << 17, 64])
def test_experts_have_importances_of_their_own(
    session: Session, tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder, where each is a tensor, as from a GGUF, where all are one."""
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
    folder = make_architecture(tmp_path / "m", "mixtral")
    parent = quantize(folder, tmp_path / "parent", "f32")
    matrix = importances_of_experts(tmp_path / "imatrix.gguf", parent)
    file = quantize_with(folder, tmp_path / "out", "q4_0", matrix)
    assert quantize_with(parent, tmp_path / "again", "q4_0", matrix).read_bytes() == file.read_bytes()
    for of in (folder, parent):
        assert verify_against(session, f"{file}", f"{of}", matrix).answer is Answer.REPLAYED
        assert verify_against(session, f"{file}", f"{of}").answer is Answer.UNDECIDED


def test_a_gate_of_one_row_may_be_a_vector(session: Session, tmp_path: Path) -> None:
    """As llama.cpp's converter once wrote it."""
    folder = make_architecture(tmp_path / "m", "qwen2_moe")
    reader = GGUFReader(quantize(folder, tmp_path / "q"))
    tensors = {t.name: (t.data.reshape(-1) if "inp_shexp" in t.name else t.data, "F32") for t in reader.tensors}
    fields = [field for field in reader.fields.values() if not field.name.startswith("GGUF.")]
    metadata: Any = {field.name: (field.types[0], field.contents(), *field.types[1:2]) for field in fields}
    file = write_gguf(tmp_path / "other.gguf", tensors, metadata)
    assert verify_against(session, f"{file}", f"{folder}").answer is Answer.REPLAYED
