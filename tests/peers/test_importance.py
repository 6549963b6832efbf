"""With an importance matrix lineal makes the bytes that llama.cpp's own quantizer makes with it."""

from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import full_model
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mix_table import MIXES
from tests.engines.quantizations import quantize, write
from tests.llamas import make_llama, read_gguf
from tests.peers.conftest import LlamaCpp

pytestmark = pytest.mark.peers


def measured(path: Path) -> ImportanceMatrix:
    """Something for every matrix but the embedding: squares that differ by column, and a count that leaves a rest."""
    numbers = np.random.default_rng(3)
    names = [name for name in read_gguf(path)[0] if name.startswith("blk.") and "norm" not in name]
    columns = {name: 512 if "ffn_down" in name else 256 for name in names}
    return ImportanceMatrix(
        {
            name: Importance(numbers.standard_normal((1, n), np.float32) ** 2, np.array([7], np.int64))
            for name, n in columns.items()
        },
        file="imatrix.gguf",
    )


@pytest.mark.parametrize("scheme", [scheme for scheme, mix in MIXES.items() if mix.in_blocks])
def test_llama_cpp_s_own_quantizer_makes_the_same_bytes(tmp_path: Path, llama_cpp: LlamaCpp, scheme: str) -> None:
    parent = make_llama(tmp_path / "m", hidden_size=256, intermediate_size=512, num_hidden_layers=8)
    full = quantize(parent, tmp_path / "f32")
    importance = measured(full)
    job = {"source": f"{full}", "target": f"{tmp_path / 'theirs.gguf'}", "file_type": MIXES[scheme].file_type}
    weights = {name: entry.mean.ravel().tolist() for name, entry in importance.entries.items()}
    llama_cpp.quantize_all([{**job, "importances": weights, "patterns": [], "output": None, "embedding": None}])
    model = full_model("m", open_checkpoint(parent))
    write(plan_gguf(GgufQuantization(scheme=scheme), model, importance), tmp_path / "ours")
    found, _ = read_gguf(next((tmp_path / "ours").glob("*.gguf")))
    expected, _ = read_gguf(tmp_path / "theirs.gguf")
    assert {name: kind for name, (kind, _) in found.items()} == {name: kind for name, (kind, _) in expected.items()}
    assert [name for name in found if not np.array_equal(found[name][1], expected[name][1])] == []
