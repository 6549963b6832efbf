"""What an importance matrix sums is what llama.cpp multiplies by its matrices, on the same tokens."""

from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.calibrate.importance_matrix import Measuring
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.parents.model import full_model
from lineal.engines.text.encoding import Encoder
from tests.engines.architectures import MODELS, make_architecture
from tests.engines.quantizations import quantize
from tests.engines.tiny_models import make_documents
from tests.peers.conftest import LlamaCpp

pytestmark = pytest.mark.peers

CONTEXT, CHUNKS = 96, 3
SEED = 1
"""Of models none of whose routers is in doubt between two experts: llama.cpp would choose the other for some token."""


@pytest.mark.parametrize("name", MODELS)
def test_sums_are_those_of_what_llama_cpp_multiplies(tmp_path: Path, llama_cpp: LlamaCpp, name: str) -> None:
    parent = make_architecture(tmp_path / "model", name, SEED)
    text = tmp_path / "text.txt"
    text.write_text(" ".join(make_documents(5, 60)), encoding="utf-8")
    model, tokenizer = full_model("model", open_checkpoint(parent)), load_tokenizer(parent)
    found = Measuring(model, tokenizer, tmp_path, CONTEXT, CHUNKS).matrix(text)
    assert (found.chunks, found.chunk_size, found.datasets) == (CHUNKS, CONTEXT, ("text.txt",))

    (ids,) = Encoder(tokenizer).documents([text.read_text(encoding="utf-8")])
    chunks = ids[: CHUNKS * CONTEXT].reshape(CHUNKS, CONTEXT).tolist()
    expected = llama_cpp.measure(quantize(parent, tmp_path / "f32"), chunks, tmp_path / "sums.npz")
    assert found.entries.keys() == {key.removesuffix(".sums") for key in expected if key.endswith(".sums")}
    for tensor, entry in found.entries.items():
        counts, sums = expected[f"{tensor}.counts"], expected[f"{tensor}.sums"]
        assert np.array_equal(entry.counts, counts), tensor
        assert np.allclose(entry.sums, sums, rtol=1e-3, atol=1e-3 * sums.max(initial=0)), tensor
