"""What is said of an importance matrix that fits, and yet is not all of this model's."""

import numpy as np

from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.engines.quantize.remarks import without_importances

HERE, BEYOND = "blk.0.attn_q.weight", "blk.9.attn_q.weight"


def matrix(*names: str) -> ImportanceMatrix:
    entries = {name: Importance(np.ones((1, 256), np.float32), np.array([1])) for name in names}
    return ImportanceMatrix(entries, file="its.imatrix")


def test_importances_of_tensors_that_the_model_has_not_are_remarked() -> None:
    (remark,) = without_importances({HERE: "Q4_K"}, matrix(HERE, BEYOND))
    assert remark == f"its.imatrix has importances for '{BEYOND}', which the model has not: is it of this model?"


def test_a_matrix_of_just_the_model_is_not_remarked() -> None:
    assert list(without_importances({HERE: "Q4_K"}, matrix(HERE))) == []
