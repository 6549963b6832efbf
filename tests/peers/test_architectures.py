"""llama.cpp computes with a GGUF of every architecture what transformers does with its weights."""

from pathlib import Path

import numpy as np
import pytest

from lineal.engines.inference.language_model import load_model
from tests.engines.architectures import MODELS, make_architecture
from tests.engines.quantizations import quantize
from tests.peers.conftest import LlamaCpp
from tests.peers.test_llama_cpp import logits

pytestmark = pytest.mark.peers

PROMPT = list(range(5, 45))
"""Longer than any window."""
TOLERANCE = 1e-4
"""Of logits with a deviation of 3, in float32: only the order of sums differs."""
GELU = 0.03
"""Of Gemma's: llama.cpp looks its activation up in a table whose entries are float16, 11 bits."""


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_the_stored_weights(tmp_path: Path, llama_cpp: LlamaCpp, name: str) -> None:
    file = quantize(make_architecture(tmp_path / "m", name), tmp_path / "q")
    found = np.array(llama_cpp.answer(file, prompt=PROMPT)["logits"])
    expected = logits(load_model(file), PROMPT)
    assert np.abs(found - expected).max() < (GELU if "gemma" in name else TOLERANCE)
