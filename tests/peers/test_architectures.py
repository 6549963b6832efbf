"""llama.cpp computes with a GGUF of every architecture what transformers does with its weights."""

from pathlib import Path

import numpy as np
import pytest

from lineal.engines.inference.language_model import load_model
from tests.engines.architectures import MODELS, learn_by_heart, make_architecture
from tests.engines.quantizations import quantize
from tests.peers.conftest import LlamaCpp
from tests.peers.test_llama_cpp import COUNT, MARGIN, continuation, logits

pytestmark = pytest.mark.peers

PROMPT = list(range(5, 45))
"""Longer than any window."""
TOLERANCE = 1e-4
"""Of logits with a deviation of 3, in float32: only the order of sums differs."""
TABLE = 0.01
"""Of Gemma's logits, three times what was measured: llama.cpp looks its activation up in a table, of a float16 and as
a float16. With such a table in transformers the first token's differ by 5e-7; later on, sums in another order make
the float16 beside it of what lies between two."""
KINDS = {str(model["model_type"]): name for name, model in MODELS.items() if "," not in name}
"""One model of each architecture."""


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_the_stored_weights(tmp_path: Path, llama_cpp: LlamaCpp, name: str) -> None:
    file = quantize(make_architecture(tmp_path / "m", name), tmp_path / "q")
    found = np.array(llama_cpp.answer(file, prompt=PROMPT)["logits"])
    assert np.abs(found - logits(load_model(file), PROMPT)).max() < (TABLE if "gemma" in name else TOLERANCE)


@pytest.mark.parametrize("model_type", KINDS)
def test_it_continues_a_prompt_as_transformers_does_with_weights_in_float16(
    tmp_path: Path, llama_cpp: LlamaCpp, model_type: str
) -> None:
    parent = make_architecture(tmp_path / "m", KINDS[model_type])
    known = np.random.default_rng(1).integers(5, 300, 40 + COUNT).tolist()
    learn_by_heart(parent, known)
    file = quantize(parent, tmp_path / "q", "f16")
    expected, margin = continuation(load_model(file), known[:40])
    assert margin > MARGIN
    assert llama_cpp.answer(file, prompt=known[:40], count=COUNT)["continued"] == expected == known[40:]
