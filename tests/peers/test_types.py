"""The types that llama.cpp's quantizer gives the tensors of every scheme; writes the vectors that lineal is held to.

`python -m tests.peers.test_types` writes them again, from the library in build/peers.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter

from lineal.methods.quantize.mix_table import MIXES
from tests.llamas import read_gguf
from tests.mix_cases import CASES, VECTORS, Case, grouped, stored, written
from tests.peers.conftest import PYTHON, LlamaCpp

pytestmark = pytest.mark.peers


def write(case: Case, path: Path) -> None:
    """The file in float32, with as much metadata as llama.cpp's quantizer asks for."""
    shape, writer = case.shape, GGUFWriter(path, case.shape.architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(case.width)
    writer.add_block_count(shape.blocks)
    writer.add_feed_forward_length(case.ahead)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(2)
        writer.add_expert_feed_forward_length(case.ahead)
    numbers = np.random.default_rng(1)
    for name, dims in case.tensors.items():
        writer.add_tensor(name, numbers.standard_normal(dims, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def seen(llama_cpp: LlamaCpp, case: Case, folder: Path) -> dict[str, dict[str, str]]:
    """Scheme -> the types of the tensors in the file that llama.cpp makes."""
    source, wishes = folder / "source.gguf", case.wishes
    write(case, source)
    jobs: list[dict[str, Any]] = [
        {
            "source": f"{source}",
            "target": f"{folder / scheme}.gguf",
            "file_type": mix.file_type,
            "importances": {"of no tensor": [1.0]} if case.shape.importance else None,
            "patterns": [[pattern, GGMLQuantizationType[kind]] for pattern, kind in wishes.patterns],
            "output": wishes.output and GGMLQuantizationType[wishes.output],
            "embedding": wishes.embedding and GGMLQuantizationType[wishes.embedding],
        }
        for scheme, mix in MIXES.items()
    ]
    llama_cpp.quantize_all(jobs)
    return {scheme: grouped(written(_types(folder / f"{scheme}.gguf"))) for scheme in MIXES}


def _types(path: Path) -> dict[str, str]:
    return {name: kind for name, (kind, _) in read_gguf(path)[0].items()}


@pytest.mark.parametrize("name", CASES)
def test_llama_cpp_gives_these_types(name: str, tmp_path: Path, llama_cpp: LlamaCpp) -> None:
    assert seen(llama_cpp, CASES[name], tmp_path) == stored()[name]


def _write_vectors() -> None:
    found: dict[str, Mapping[str, Any]] = {}
    for name, case in CASES.items():
        with TemporaryDirectory() as folder:
            found[name] = seen(LlamaCpp(PYTHON), case, Path(folder))
    VECTORS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write_vectors()
