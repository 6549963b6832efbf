"""lineal prune, as its users meet it."""

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from tests.builders import make_adapter, make_checkpoint, random_tensors, read_folder
from tests.cli.conftest import Command
from tests.cli.test_verbs import error_of

UP = "model.layers.0.mlp.up_proj"
SHAPES = {"model.embed_tokens.weight": (12, 8), f"{UP}.weight": (16, 8), "model.norm.weight": (8,)}


@pytest.fixture
def dense(lineal: Command) -> Path:
    """A model with a linear layer, in the folder where commands run."""
    return make_checkpoint(Path("dense").resolve(), random_tensors(1, SHAPES))


def zeros(folder: str) -> list[int]:
    return [int(n) for n in (read_folder(Path(folder))[f"{UP}.weight"] == 0).sum(1)]


def test_a_pruning_says_where_it_put_what(lineal: Command, dense: Path) -> None:
    answer = lineal("prune", "./dense", "--sparsity", "0.5", "--out", "lean")
    assert answer.code == 0
    assert answer.out.startswith(f"{Path('lean').resolve()}  b3:")
    assert sum(zeros("lean")) == 64
    assert "up to date" in lineal("prune", "./dense", "--sparsity", "0.5", "--out", "lean").err


def test_the_scope_is_an_option(lineal: Command, dense: Path) -> None:
    lineal("prune", "./dense", "--sparsity", "0.25", "--scope", "row", "--method", "magnitude", "--out", "lean")
    assert zeros("lean") == [2] * 16


def test_what_was_done_is_shown_and_recomputed(lineal: Command, dense: Path) -> None:
    lineal("prune", "./dense", "--sparsity", "0.5", "--out", "lean")
    shown = lineal("show", "lean").out
    assert "prune, method magnitude (version 2)" in shown
    assert "sparsity = 0.5" in shown
    assert "50% sparse" in lineal("log", "lean").out
    (verdict,) = json.loads(lineal("verify", "lean", "--json").out)
    assert verdict["tensors_recomputed"] == len(SHAPES)


def test_an_adapter_is_pruned_on_the_base_that_is_named(lineal: Command, dense: Path) -> None:
    make_adapter(Path("tuned"), {UP: (np.ones((1, 8), np.float32), np.ones((16, 1), np.float32))})
    words = ("prune", "./tuned", "--sparsity", "0.5", "--out", "lean")
    assert "the base of the adapter tuned is not known; name it as base" in error_of(lineal(*words))
    assert lineal(*words, "--base", "./dense").code == 0
    assert sum(zeros("lean")) == 64


def test_a_plan_says_that_a_pruned_model_is_as_large_as_before(lineal: Command, dense: Path) -> None:
    Path("family.yaml").write_text(
        "models:\n  dense: {original: {path: ./dense}}\n  lean: {prune: {parent: dense, sparsity: 0.5}}\n"
    )
    assert "lean: zeros are stored like any weight: it is as large" in lineal("run", "--dry-run").out
    dense_line, lean_line = json.loads(lineal("run", "--dry-run", "--json").out)
    assert (lean_line["how"], lean_line["tensor_bytes"]) == ("prune, magnitude", dense_line["tensor_bytes"])
    assert "as large and as fast" in lean_line["note"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("./dense",), 2, "magnitude: the option 'sparsity' is needed"),
        (("./dense", "--sparsity", "1"), 2, "magnitude: sparsity must be in [0, 1), got 1.0"),
        (("./dense", "--sparsity", "-0.1"), 2, "magnitude: sparsity must be in [0, 1), got -0.1"),
        (("./dense", "--sparsity", "nan"), 2, "magnitude: sparsity must be a finite number, got 'nan'"),
        (
            ("./dense", "--sparsity", "0.5", "--scope", "column"),
            2,
            "magnitude: scope must be one of tensor, row, got 'column'",
        ),
        (
            ("./dense", "--sparsty", "0.5"),
            2,
            "no such option --sparsty (did you mean --sparsity?)",
        ),
        (("./dense", "--sparsity", "0.5", "--method", "wnada"), 2, "unknown prune method 'wnada'"),
        (("./dense", "./a", "--sparsity", "0.5"), 2, "one model is pruned at a time, got ./dense, ./a"),
        (("./dense", "--sparsity", "0.5", "--base", "./a"), 2, "magnitude: takes no base"),
        (("--sparsity", "0.5"), 2, "name the models first"),
        (("./nowhere", "--sparsity", "0.5"), 3, "nowhere: no such folder"),
        (("./a", "--sparsity", "0.5"), 3, "a: no linear layer of a llama model in it"),
        (("./other", "--sparsity", "0.5"), 3, "other: what its tensors do is not known for model_type 'gpt2' (known: "),
    ],
)
def test_a_mistake_is_one_line_with_its_exit_code(
    lineal: Command, dense: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    make_checkpoint(Path("other"), {"h.0.weight": np.ones((4, 4), np.float32)}, {"model_type": "gpt2"})
    answer = lineal("prune", *words, "--out", "m")
    assert message in error_of(answer)
    assert answer.code == code
    assert not Path("m").exists()


def test_a_gguf_whose_weights_are_not_understood_is_refused_as_a_parent(lineal: Command) -> None:
    writer = GGUFWriter("q4.gguf", "llama")
    writer.add_tensor("blk.0.ffn_up.weight", np.ones((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    answer = lineal("prune", "./q4.gguf", "--sparsity", "0.5", "--out", "m")
    assert "q4.gguf: llama.vocab_size must be a positive number, got None" in error_of(answer)
    assert (answer.code, Path("m").exists()) == (3, False)


def test_it_has_help_with_examples(lineal: Command) -> None:
    told = lineal("prune", "--help").out
    assert "lineal prune ./both --sparsity 0.5" in told
    assert "prune" in lineal("--help").out
