"""What stands against a common vocabulary is said, not guessed."""

from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_recipe
from lineal.engines.parents.model import full_model
from lineal.errors import CheckpointError, MethodError
from lineal.methods.recipe.vocabulary import TokenRow, Vocabulary
from tests.builders import (
    CONFIG,
    make_checkpoint,
    make_tokenizer,
    random_tensors,
    read_folder,
)
from tests.engines.vocabularies import BIAS, EMBEDDING, HEAD, TABLES, WIDTH, models, recipe


def test_all_that_stands_against_a_common_vocabulary_is_said_at_once(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    (inputs[0].folder / "tokenizer.json").unlink()
    make_tokenizer(inputs[1].folder, {"a": 0, "far": 1000})
    wider = {**read_folder(inputs[1].folder), "model.norm.weight": np.ones(5, np.float32)}
    make_checkpoint(inputs[1].folder, wider, {**CONFIG, "tie_word_embeddings": False})
    inputs = [full_model(model.name, open_checkpoint(model.folder)) for model in inputs]
    rules = {"x": TokenRow(model=2), "y": TokenRow(model=2, token="z"), "v": TokenRow(model=2, row=1000)}
    with pytest.raises(CheckpointError) as caught:
        plan_recipe(recipe(Vocabulary(tokenizer=2, tokens=rules)), inputs)
    for fault in (
        "0 has no tokenizer.json",
        "1 has 257 rows, and 'far' is id 1000",
        "'x' is to have the row of 'x' in 2, which has no such token",
        "'y' is to have the row of 'z' in 2",
        "'v' is to have row 1000 of 2, which has 124",
        "'model.norm.weight' is [128] in 0, [5] in 1",
    ):
        assert fault in str(caught.value)
    assert "lm_head" not in str(caught.value)


def test_a_matrix_that_may_have_a_row_a_token_is_refused_rather_than_left(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    tensors = {**read_folder(inputs[0].folder), "model.embed_per_layer.weight": np.zeros((300, 2), np.float32)}
    make_checkpoint(inputs[0].folder, tensors, {**CONFIG, "tie_word_embeddings": False})
    inputs[0] = full_model("0", open_checkpoint(inputs[0].folder))
    with pytest.raises(CheckpointError, match=r"'model.embed_per_layer.weight' has as many rows as the embedding"):
        plan_recipe(recipe(Vocabulary(tokenizer=0)), inputs)


def test_rows_can_only_be_of_matrices_that_fit(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    tensors = {name: values for name, values in read_folder(inputs[2].folder).items() if name != BIAS}
    make_checkpoint(inputs[2].folder, tensors, {**CONFIG, "tie_word_embeddings": False})
    inputs[2] = full_model("2", open_checkpoint(inputs[2].folder))
    with pytest.raises(CheckpointError, match=r"2 has no 'lm_head.bias', whose rows 0 would need"):
        plan_recipe(recipe(Vocabulary(tokenizer=0, union=True)), inputs)


def test_no_row_is_read_behind_the_end_of_a_matrix(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    tensors = read_folder(inputs[0].folder)
    make_checkpoint(inputs[0].folder, {**tensors, HEAD: tensors[HEAD][:250]}, {**CONFIG, "tie_word_embeddings": False})
    inputs[0] = full_model("0", open_checkpoint(inputs[0].folder))
    with pytest.raises(CheckpointError, match=r"0: 'lm_head.weight' has 250 rows, not 300"):
        plan_recipe(recipe(Vocabulary(tokenizer=0)), inputs)


@pytest.mark.parametrize("table", [{**TABLES[0], "late": 304}, {**TABLES[0], "twice": 7}])
def test_tokens_are_only_added_where_their_ids_are_certain(tmp_path: Path, table: dict[str, int]) -> None:
    inputs = models(tmp_path)
    make_checkpoint(
        inputs[0].folder,
        random_tensors(0, {EMBEDDING: (310, WIDTH), HEAD: (310, WIDTH), BIAS: (310,), "model.norm.weight": (WIDTH,)}),
        {**CONFIG, "tie_word_embeddings": False},
    )
    make_tokenizer(inputs[0].folder, table)
    inputs[0] = full_model("0", open_checkpoint(inputs[0].folder))
    with pytest.raises(CheckpointError, match="the ids of 0 have gaps, or stand for two tokens"):
        plan_recipe(recipe(Vocabulary(tokenizer=0, union=True)), inputs)
    assert plan_recipe(recipe(Vocabulary(tokenizer=0)), inputs).jobs


def test_options_that_mean_nothing_are_refused() -> None:
    for make in (
        lambda: TokenRow(token="a"),
        lambda: TokenRow(model=1, token="a", row=1),
        lambda: Vocabulary(tokenizer=0, multiple=0),
    ):
        with pytest.raises(MethodError):
            make()
