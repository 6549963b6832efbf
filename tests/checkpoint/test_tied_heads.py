"""What config.json and the stored matrices say of a model's output head, held against transformers' own classes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from transformers import CONFIG_MAPPING
from transformers.models.auto import modeling_auto

from lineal.checkpoint.names.tied_by_default import TIED_BY_DEFAULT
from lineal.checkpoint.names.tied_heads import embeddings, heads, is_copy, says_tied, untied
from lineal.checkpoint.reader import open_checkpoint
from tests.builders import CONFIG, make_checkpoint

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
NO_HEADS = {"backbone_model.embed_tokens.embed_audio_tokens.weight", "mlm_score.decoder.weight"}
"""Tied to an embedding, and of models that predict something else than the next word."""


def test_the_types_that_tie_by_default_are_those_of_transformers() -> None:
    types = set(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - {"gemma4_assistant"}  # whose class has no defaults
    found = {kind for kind in types if getattr(CONFIG_MAPPING[kind](), "tie_word_embeddings", False)}
    assert found == TIED_BY_DEFAULT & types


def test_every_head_that_transformers_ties_to_an_embedding_is_known_by_its_name() -> None:
    root = Path(transformers.__file__).parent / "models"
    tied: set[tuple[str, str]] = set()
    for file in root.glob("*/modeling_*.py"):
        for body in re.findall(r"_tied_weights_keys = \{([^{}]*)\}", file.read_text()):
            tied |= set(re.findall(r'r?"([^"]+\.weight)":\s*r?"([^"]+\.weight)', body))
    matrices = {(head, source) for head, source in tied if embeddings([source]) and not embeddings([head])}
    assert len(matrices) > 40
    assert {head for head, source in matrices if heads([head, source]) != [head]} == NO_HEADS


@pytest.mark.parametrize(
    ("config", "tied"),
    [
        ({"model_type": "gemma2"}, True),
        ({"model_type": "llama"}, False),
        ({"model_type": "of somebody's own"}, False),
        ({"model_type": "gemma2", "tie_word_embeddings": False}, False),
        ({"model_type": "llama", "tie_word_embeddings": True}, True),
        ({"model_type": "gemma2", "tie_word_embeddings": None}, True),
        ({"model_type": "llama4", "text_config": {"tie_word_embeddings": True}}, False),
    ],
)
def test_a_silent_config_means_what_its_architecture_does(config: dict[str, Any], tied: bool) -> None:
    assert says_tied(config) is tied


def test_untying_reaches_the_text_model_inside() -> None:
    config = {"model_type": "gemma3", "text_config": {"hidden_size": 8}}
    assert untied(config) == {
        "model_type": "gemma3",
        "text_config": {"hidden_size": 8, "tie_word_embeddings": False},
        "tie_word_embeddings": False,
    }


def test_a_head_without_an_embedding_is_the_embedding() -> None:
    assert heads([HEAD, "model.norm.weight"]) == []
    assert heads([HEAD, EMBEDDING]) == [HEAD]


def test_matrices_are_compared_to_their_last_byte(tmp_path: Path) -> None:
    matrix = np.random.default_rng(1).standard_normal((700, 500)).astype(np.float32)  # more than one window
    other = matrix.copy()
    other[-1, -1] += 1
    equal = open_checkpoint(make_checkpoint(tmp_path / "equal", {EMBEDDING: matrix, HEAD: matrix}, CONFIG))
    differs = open_checkpoint(make_checkpoint(tmp_path / "differs", {EMBEDDING: matrix, HEAD: other}, CONFIG))
    rounded = open_checkpoint(
        make_checkpoint(tmp_path / "rounded", {EMBEDDING: matrix, HEAD: matrix.astype(np.float16)}, CONFIG)
    )
    assert (is_copy(equal, HEAD), is_copy(differs, HEAD), is_copy(rounded, HEAD)) == (True, False, False)
