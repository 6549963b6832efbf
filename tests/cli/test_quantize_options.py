"""lineal quantize with types by name and with an importance matrix, as its users meet it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.importance.files import write_importance
from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mixes import first_types
from tests.cli.conftest import Command
from tests.cli.test_verbs import error_of
from tests.llamas import CONFIG, make_llama, read_gguf

DOWN = "blk.0.ffn_down.weight"
WORDS = ("quantize", "./both", "--scheme", "q4_0", "--out", "both.gguf")


@pytest.fixture
def both(lineal: Command) -> Path:
    """A Llama, in the folder where commands run."""
    return make_llama(Path("both").resolve())


def make_importance(path: Path, columns: int = 96, name: str = DOWN) -> Path:
    """Of one matrix, old enough that its hash is remembered."""
    sums = np.arange(1, columns + 1, dtype=np.float32)[None]
    entries = {name: Importance(sums, np.array([3], np.int64))}
    write_importance(path, ImportanceMatrix(entries, ("/somewhere/wiki.txt",), 5, 512))
    os.utime(path, (1e9, 1e9))
    return path


def kinds() -> dict[str, str]:
    return {name: kind for name, (kind, _) in read_gguf(Path("both.gguf"))[0].items()}


def test_tensors_have_other_types_by_their_names(lineal: Command, both: Path) -> None:
    by_name = ("--tensor-type", "attn_v=Q8_0", "--tensor-type", "blk[.]0[.]ffn_(up|gate){1,1}[.]=f16")
    answer = lineal(*WORDS, *by_name)
    assert answer.code == 0, answer.err
    found = kinds()
    assert {name for name, kind in found.items() if kind == "F16"} == {
        "blk.0.ffn_gate.weight",
        "blk.0.ffn_up.weight",
    }
    assert {name for name, kind in found.items() if "attn_v" in name and kind == "Q8_0"} == {
        f"blk.{block}.attn_v.weight" for block in range(CONFIG["num_hidden_layers"])
    }
    shown = lineal("show", "both.gguf").out
    assert "main_type = q4_0" in shown
    assert "attn_v" in shown
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == len(found)
    assert "up to date" in lineal(*WORDS, *by_name).err


def test_an_importance_matrix_is_data_of_the_step(lineal: Command, both: Path) -> None:
    make_importance(Path("imatrix.gguf"))
    answer = lineal(*WORDS, "--imatrix", "imatrix.gguf")
    assert answer.code == 0, answer.err
    assert "imatrix.gguf has no importances for 'token_embd.weight', 'blk.0.attn_q.weight', " in answer.err
    record = json.loads(Path("both.gguf.lineal.json").read_text())
    assert [file["name"] for file in record["step"]["data"]] == ["imatrix.gguf"]
    _, keys = read_gguf(Path("both.gguf"))
    assert {key: value for key, value in keys.items() if key.startswith("quantize.")} == {
        "quantize.imatrix.file": "imatrix.gguf",
        "quantize.imatrix.dataset": "wiki.txt",
        "quantize.imatrix.entries_count": 1,
        "quantize.imatrix.chunks_count": 5,
    }
    assert "imatrix.gguf  b3:" in lineal("show", "both.gguf").out


def test_a_step_with_an_importance_matrix_is_recomputed_where_that_is_found(lineal: Command, both: Path) -> None:
    place = Path("kept") / "imatrix.gguf"
    place.parent.mkdir()
    make_importance(place)
    assert lineal(*WORDS, "--imatrix", f"{place}").code == 0
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == len(kinds())
    place.write_bytes(b"something else")
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == 0
    assert "imatrix.gguf (b3:" in verdict["why_not_recomputed"]
    make_importance(Path("imatrix.gguf"))  # the working folder is looked in, too
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == len(kinds())


@pytest.mark.parametrize(
    ("columns", "name", "said"),
    [
        (95, DOWN, "the importance matrix of another model: 'blk.0.ffn_down.weight' has 95 columns, the model's 96"),
        (4, "blk.0.ssm_in.weight", "none of its 1 tensors is one of the model's ('blk.0.ssm_in.weight', "),
    ],
)
def test_the_importance_matrix_of_another_model_is_refused(
    lineal: Command, both: Path, columns: int, name: str, said: str
) -> None:
    make_importance(Path("imatrix.gguf"), columns, name)
    answer = lineal(*WORDS, "--imatrix", "imatrix.gguf")
    assert said in error_of(answer)
    assert answer.code == 3
    assert not Path("both.gguf").exists()


def test_importances_that_overflow_are_refused(lineal: Command, both: Path) -> None:
    entry = Importance(np.full((1, 96), 3e38, np.float32), np.array([1], np.int64))
    write_importance(Path("imatrix.gguf"), ImportanceMatrix({DOWN: entry}, ("wiki.txt",), 5, 512))
    answer = lineal(*WORDS, "--imatrix", "imatrix.gguf")
    error = answer.err.splitlines()[-1]
    assert f"'{DOWN}' comes out as infinite or no number" in error
    assert "the importances of its columns are too large" in error
    assert answer.code == 3
    assert lineal(*WORDS, "--imatrix", "imatrix.gguf", "--allow-nonfinite").code == 0


def test_a_text_is_no_importance_matrix(lineal: Command, both: Path) -> None:
    Path("wiki.txt").write_text("the quick brown fox")
    assert "wiki.txt: not an importance matrix" in error_of(lineal(*WORDS, "--imatrix", "wiki.txt"))
    assert "no data file nowhere.gguf" in error_of(lineal(*WORDS, "--imatrix", "nowhere.gguf"))


def test_where_importances_make_no_difference_that_is_said(lineal: Command, both: Path) -> None:
    make_importance(Path("imatrix.gguf"))
    answer = lineal("quantize", "./both", "--scheme", "q8_0", "--imatrix", "imatrix.gguf", "--out", "both.gguf")
    assert "imatrix.gguf changes nothing: importances make no difference to F32, F16, BF16 and Q8_0" in answer.err
    assert "has no importances for" not in answer.err


def test_a_family_file_has_the_same_keys(lineal: Command, both: Path) -> None:
    make_importance(Path("imatrix.gguf"))
    lineal(*WORDS, "--imatrix", "imatrix.gguf", "--tensor-type", "attn_v=q8_0")
    recipe = "{parent: both, scheme: q4_0, imatrix: imatrix.gguf, tensor_types: {attn_v: q8_0}}"
    Path("family.yaml").write_text(f"models:\n  both: {{original: {{path: ./both}}}}\n  q: {{quantize: {recipe}}}\n")
    assert lineal("run", "--no-evaluate").code == 0
    assert Path("models/q/q.gguf").read_bytes() == Path("both.gguf").read_bytes()
    Path("family.yaml").write_text(
        "models:\n  both: {original: {path: ./both}}\n  q: {quantize: {parent: both, scheme: q4_0, imatrix: no.gguf}}\n"
    )
    assert "family.yaml:3: q: no data file" in error_of(lineal("run", "--no-evaluate"))


def test_a_file_whose_head_was_q8_0_says_under_which_rules_it_was_made(
    lineal: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lineals that knew five schemes gave the head of q4_0 eight bits; llama.cpp gives it Q6_K."""
    make_llama(Path("wide"), hidden_size=256, intermediate_size=256)
    words = ("quantize", "./wide", "--scheme", "q4_0", "--out", "both.gguf")
    with monkeypatch.context() as patched:
        before = lambda _, tensors, shape: first_types("q4_0", tensors, tied=shape.tied)  # noqa: E731
        patched.setattr(GgufQuantization, "types", before)
        assert lineal(*words).code == 0
    assert kinds()["output.weight"] == "Q8_0"
    assert "rules" not in json.loads(Path("both.gguf.lineal.json").read_text())["step"]
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert "it was made under rules 1, and this lineal would make it under 2" in verdict["why_not_recomputed"]
    assert lineal(*words).code == 0  # another derivation: made anew
    assert kinds()["output.weight"] == "Q6_K"
    assert json.loads(Path("both.gguf.lineal.json").read_text())["step"]["rules"] == 2
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == len(kinds())
