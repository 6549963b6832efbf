"""Three models whose tokenizers know different words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import Model, full_model
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from lineal.methods.recipe.vocabulary import Vocabulary
from tests.builders import (
    CONFIG,
    make_checkpoint,
    make_tokenizer,
    random_tensors,
)

WIDTH = 128
EMBEDDING, HEAD, BIAS = "model.embed_tokens.weight", "lm_head.weight", "lm_head.bias"
WORDS = [f"w{i}" for i in range(300)]
TABLES = [
    {word: i for i, word in enumerate(WORDS)},
    {word: i for i, word in enumerate([*reversed(WORDS[:200]), *(f"v{i}" for i in range(50))])},
    {word: i for i, word in enumerate([*(f"v{i}" for i in range(60)), *WORDS[100:250:3]])},
]
"""Token -> id of three models; "v..." are known to the last two only."""


def models(folder: Path, dtype: Any = np.float32, shards: int = 1) -> list[Model]:
    found: list[Model] = []
    for place, table in enumerate(TABLES):
        rows = len(table) + 7 * place
        shapes = {EMBEDDING: (rows, WIDTH), HEAD: (rows, WIDTH), BIAS: (rows,), "model.norm.weight": (WIDTH,)}
        path = folder / str(place)
        config = {**CONFIG, "tie_word_embeddings": False, "vocab_size": rows}
        make_checkpoint(path, random_tensors(place, shapes, dtype), config, shards=shards)
        make_tokenizer(path, table)
        found.append(full_model(path.name, open_checkpoint(path)))
    return found


def recipe(vocabulary: Vocabulary, method: str = "linear", models: Sequence[int] = (0, 1, 2)) -> MergeRecipe:
    part = Part(models=tuple(Stretch(model=place) for place in models))
    return MergeRecipe(method=method, parts=(part,), vocabulary=vocabulary)
