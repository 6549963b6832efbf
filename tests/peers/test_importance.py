"""With an importance matrix lineal makes the bytes that llama.cpp's own quantizer makes with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import full_model
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mix_table import MIXES
from tests.engines.architectures import make_architecture
from tests.engines.quantizations import quantize, write
from tests.llamas import make_llama, read_gguf
from tests.peers.conftest import LlamaCpp

pytestmark = pytest.mark.peers


WIDE: dict[str, Any] = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 8}
ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "qwen2, tied": {},
    "phi3": {},
    "gemma2": {},
    "olmo2": {},
    "smollm3": {},
    "mixtral": {"num_local_experts": 8, "num_hidden_layers": 4},
    "qwen2_moe": {"moe_intermediate_size": 256, "shared_expert_intermediate_size": 256, "num_hidden_layers": 3},
}


def measured(path: Path) -> ImportanceMatrix:
    """Something for every matrix of a block: squares that differ by column, counts that leave a rest, and one of 0."""
    numbers, entries = np.random.default_rng(3), dict[str, Importance]()
    for tensor in GGUFReader(path).tensors:
        columns, *_, experts = (int(size) for size in (*tensor.shape, *(1,) * (3 - len(tensor.shape))))
        if tensor.name.startswith("blk.") and len(tensor.shape) > 1 and "gate_inp" not in tensor.name:
            counts = np.arange(experts) * 4 if experts > 1 else np.array([7])
            entries[tensor.name] = Importance(numbers.standard_normal((experts, columns), np.float32) ** 2, counts)
    return ImportanceMatrix(entries, file="imatrix.gguf")


def differing(parent: Path, folder: Path, llama_cpp: LlamaCpp, scheme: str) -> list[str]:
    """The tensors that are not what llama.cpp makes of the f32 file and the same matrix."""
    full = quantize(parent, folder / "f32")
    importance = measured(full)
    job = {"source": f"{full}", "target": f"{folder / 'theirs.gguf'}", "file_type": MIXES[scheme].file_type}
    weights = {name: entry.mean.ravel().tolist() for name, entry in importance.entries.items()}
    llama_cpp.quantize_all([{**job, "importances": weights, "patterns": [], "output": None, "embedding": None}])
    model = full_model("m", open_checkpoint(parent))
    write(plan_gguf(GgufQuantization(scheme=scheme), model, importance), folder / "ours")
    found, _ = read_gguf(next((folder / "ours").glob("*.gguf")))
    expected, _ = read_gguf(folder / "theirs.gguf")
    assert {name: kind for name, (kind, _) in found.items()} == {name: kind for name, (kind, _) in expected.items()}
    return [name for name in found if not np.array_equal(found[name][1], expected[name][1])]


@pytest.mark.parametrize("scheme", [scheme for scheme, mix in MIXES.items() if mix.in_blocks])
def test_llama_cpp_s_own_quantizer_makes_the_same_bytes(tmp_path: Path, llama_cpp: LlamaCpp, scheme: str) -> None:
    assert differing(make_llama(tmp_path / "m", **WIDE), tmp_path, llama_cpp, scheme) == []


@pytest.mark.parametrize("scheme", ["q4_k_m", "q2_k"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_and_of_every_architecture(tmp_path: Path, llama_cpp: LlamaCpp, architecture: str, scheme: str) -> None:
    """Stacked experts have importances of their own; phi3 has queries, keys and values in one."""
    parent = make_architecture(tmp_path / "m", architecture, **{**WIDE, **ARCHITECTURES[architecture]})
    assert differing(parent, tmp_path, llama_cpp, scheme) == []
