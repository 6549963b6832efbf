"""lineal quantize, as its users meet it."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from gguf import GGUFReader

from tests.builders import make_adapter, write_safetensors
from tests.cli.conftest import Command
from tests.cli.test_imports import loaded_by
from tests.cli.test_verbs import error_of
from tests.llamas import CONFIG, in_gguf, llama_tensors, make_llama, read_gguf

UP = "model.layers.0.mlp.up_proj"
TENSORS = 21


@pytest.fixture
def both(lineal: Command) -> Path:
    """A Llama, in the folder where commands run."""
    return make_llama(Path("both").resolve())


def test_a_file_is_named_by_out_and_its_record_lies_beside_it(lineal: Command, both: Path) -> None:
    words = ("quantize", "./both", "--scheme", "q8_0", "--out", "both.gguf")
    answer = lineal(*words)
    assert answer.code == 0
    assert answer.out.startswith(f"{Path('both.gguf').resolve()}  b3:")
    assert len(GGUFReader("both.gguf").tensors) == TENSORS
    assert Path("both.gguf.lineal.json").is_file()
    assert "both.gguf: up to date" in lineal(*words).err


def test_a_folder_holds_the_file_its_record_and_a_card(lineal: Command, both: Path) -> None:
    (both / "LICENSE").write_text("free")
    answer = lineal("quantize", "./both", "--scheme=q4_0", "--method", "gguf", "--threads", "1", "--out", "./both-q4")
    assert answer.out.startswith(f"{Path('both-q4').resolve()}  b3:")
    names = {path.name for path in Path("both-q4").iterdir()}
    assert names == {"both-q4.gguf", "lineal.json", "README.md", "LICENSE"}
    found, _ = read_gguf(Path("both-q4/both-q4.gguf"))
    assert {name: kind for name, (kind, _) in found.items()} == {
        name: kind for name, (kind, _) in in_gguf(llama_tensors(CONFIG), CONFIG, "q4_0").items()
    }


def test_what_was_done_is_shown_and_recomputed(lineal: Command, both: Path) -> None:
    lineal("quantize", "./both", "--scheme", "q8_0", "--out", "both.gguf")
    shown = lineal("show", "both.gguf").out
    assert "quantize, method gguf (version 1)" in shown
    assert "scheme = q8_0" in shown
    assert "q8_0" in lineal("log", "both.gguf").out
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == TENSORS


def test_a_file_holds_no_local_paths(lineal: Command, both: Path) -> None:
    lineal("quantize", str(both), "--scheme", "f16", "--out", "both.gguf")
    for path in (Path("both.gguf"), Path("both.gguf.lineal.json")):
        assert str(both.parent).encode() not in path.read_bytes()
    assert read_gguf(Path("both.gguf"))[1]["general.name"] == "both"


def test_an_adapter_is_quantized_on_the_base_that_is_named(lineal: Command, both: Path) -> None:
    make_adapter(Path("tuned"), {UP: (np.ones((1, 64), np.float32), np.ones((96, 1), np.float32))}, lora_alpha=1)
    words = ("quantize", "./tuned", "--scheme", "f32", "--out", "tuned.gguf")
    assert "the base of the adapter tuned is not known; name it as base" in error_of(lineal(*words))
    assert lineal(*words, "--base", "./both").code == 0
    stored = read_gguf(Path("tuned.gguf"))[0]["blk.0.ffn_up.weight"][1].view(np.float32).reshape(96, 64)
    assert np.array_equal(stored, llama_tensors(CONFIG)[f"{UP}.weight"] + np.float32(1))


def test_a_plan_tells_the_size_beforehand(lineal: Command, both: Path) -> None:
    recipes = "".join(f"  {name}: {{quantize: {{parent: both, scheme: {name}}}}}\n" for name in ("q8_0", "f16"))
    Path("family.yaml").write_text(f"models:\n  both: {{original: {{path: ./both}}}}\n{recipes}")
    planned = {line["name"]: line for line in json.loads(lineal("run", "--dry-run", "--json").out)}
    lineal("run", "--no-evaluate")
    for name in ("q8_0", "f16"):
        stored = GGUFReader(f"models/{name}/{name}.gguf").tensors
        assert planned[name]["tensor_bytes"] == sum(tensor.n_bytes for tensor in stored)
        assert planned[name]["how"] == "quantize, gguf"
    assert {line["status"] for line in json.loads(lineal("run", "--dry-run", "--json").out)} == {"present"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("./both",), 2, "gguf: scheme is needed, or what is to be fitted"),
        (("./both", "--scheme", "q8"), 2, "unknown scheme 'q8' (did you mean q8_0?)"),
        (("./both", "--sheme", "q8_0"), 2, "no such option --sheme (did you mean --scheme?)"),
        (("./both", "--scheme", "f16", "--method", "hqq"), 2, "unknown quantize method 'hqq'"),
        (("./both", "./a", "--scheme", "f16"), 2, "one model is quantized at a time, got ./both, ./a"),
        (("./both", "--scheme", "f16", "--base", "./a"), 2, "gguf: takes no base"),
        (("--scheme", "f16"), 2, "name the models first"),
        (("./nowhere", "--scheme", "f16"), 3, "nowhere: no such folder"),
        (
            ("./other", "--scheme", "f16"),
            3,
            "other cannot be written as a GGUF: model_type is 'gpt2'; those that",
        ),
        (("./both", "--scheme", "f16", "--tensor-type", "attn_v=q8_0"), 2, "f16 is one type for all"),
        (("./both", "--scheme", "q8_0", "--tensor-type", "ffn_dwn=q4_0"), 2, "whose name has 'ffn_dwn' in it"),
    ],
)
def test_a_mistake_is_one_line_with_its_exit_code(
    lineal: Command, both: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    make_llama(Path("other"), model_type="gpt2")
    answer = lineal("quantize", *words, "--out", "m.gguf")
    assert message in error_of(answer)
    assert answer.code == code
    assert not Path("m.gguf").exists()


@pytest.mark.parametrize(
    "words", [("quantize", "./both.gguf", "--scheme", "q4_0"), ("prune", "./both.gguf", "--sparsity", "0.5")]
)
def test_prunings_and_quantizations_take_a_gguf(lineal: Command, both: Path, words: tuple[str, ...]) -> None:
    lineal("quantize", "./both", "--scheme", "q8_0", "--out", "both.gguf")
    assert lineal(*words, "--out", "m").code == 0
    assert lineal("verify", "./m").code == 0


@pytest.mark.parametrize(
    "words", [("./both", "./both.gguf", "--method", "linear"), ("./both", "--base", "./both.gguf", "--method", "ties")]
)
def test_merges_take_a_gguf(lineal: Command, both: Path, words: tuple[str, ...]) -> None:
    lineal("quantize", "./both", "--scheme", "q8_0", "--out", "both.gguf")
    assert lineal("merge", *words, "--out", "m").code == 0
    assert lineal("verify", "./m").code == 0


def test_a_value_that_is_no_number_is_refused_unless_it_is_let_through(lineal: Command, both: Path) -> None:
    tensors = llama_tensors(CONFIG)
    tensors[f"{UP}.weight"][0, 0] = np.nan
    write_safetensors(both / "model.safetensors", tensors)
    words = ("quantize", "./both", "--scheme", "f16", "--out", "both.gguf")
    assert f"both: nan at element 0 of '{UP}.weight'" in error_of(lineal(*words))
    assert lineal(*words, "--allow-nonfinite").code == 0


def test_it_loads_no_torch(lineal: Command, both: Path) -> None:
    words = ("quantize", "./both", "--scheme", "q8_0", "--out", "both.gguf")
    assert loaded_by(both.parent, *words).isdisjoint({"torch", "transformers", "peft"})


def test_rows_that_are_no_whole_blocks_get_another_type_and_that_is_said(lineal: Command) -> None:
    make_llama(Path("odd"), intermediate_size=40)
    answer = lineal("quantize", "./odd", "--scheme", "q4_k_m", "--out", "odd.gguf")
    assert answer.code == 0
    assert "2 matrices with rows of 40 are no whole blocks of Q4_K: stored as F16" in answer.err
    assert "matrices with rows of 64 are no whole blocks of Q4_K: stored as Q5_0, Q8_0" in answer.err


def test_it_has_help_with_examples(lineal: Command) -> None:
    told = lineal("quantize", "--help").out
    assert "lineal quantize both --scheme q4_k_m --out both.gguf" in told
    assert "quantize" in lineal("--help").out


def test_show_tells_types_architecture_and_vocabulary_of_a_file(lineal: Command, both: Path) -> None:
    lineal("quantize", "./both", "--scheme", "q8_0", "--out", "both.gguf")
    types: dict[str, int] = {}
    for tensor in GGUFReader("both.gguf").tensors:
        types[tensor.tensor_type.name] = types.get(tensor.tensor_type.name, 0) + 1
    told = json.loads(lineal("show", "./both.gguf", "--json").out)["gguf"]
    assert told == {"types": types, "architecture": "llama", "vocabulary": CONFIG["vocab_size"]}
    shown = lineal("show", "./both.gguf").out
    assert f"Q8_0 in {types['Q8_0']} tensors" in shown
    Path("both.gguf").unlink()
    assert json.loads(lineal("show", "both.gguf", "--json").out)["gguf"]["types"] == types
    assert json.loads(lineal("show", "./both", "--json").out)["gguf"] is None


def test_diff_compares_a_file_and_a_folder_under_the_names_of_the_folder(lineal: Command, both: Path) -> None:
    lineal("quantize", "./both", "--scheme", "q8_0", "--out", "both.gguf")
    for words in (("./both", "./both.gguf"), ("./both.gguf", "./both")):
        tensors = json.loads(lineal("diff", *words, "--json").out)["tensors"]
        changes = {tensor["name"]: tensor["change"] for tensor in tensors}
        assert len(changes) == TENSORS
        assert changes["model.norm.weight"] == "same"
        assert changes[f"{UP}.weight"] == "retyped"
        assert not {"added", "removed"} & set(changes.values())


def test_what_is_copied_counts_for_what_a_file_takes(lineal: Command, both: Path) -> None:
    first = lineal("quantize", "./both", "--scheme", "q8_0", "--out", "first.gguf")
    again = lineal("quantize", "./first.gguf", "--scheme", "q8_0", "--out", "again.gguf")
    taken = first.err.partition("first.gguf: ")[2].partition(" of its parent")[0].rpartition(",")[0]
    assert f"again.gguf: {taken}, 1 of its parent, every weight exact" in again.err
    assert f"quantization     {taken}" in lineal("show", "again.gguf").out


def test_what_it_cost_is_said_shown_and_drawn(lineal: Command, both: Path) -> None:
    answer = lineal("quantize", "./both", "--scheme", "q4_0", "--out", "both.gguf")
    (said,) = [line for line in answer.err.splitlines() if "bits a weight" in line]
    assert re.fullmatch(r"both\.gguf: [\d.]+ bits a weight, [\d.]+ kB, [\d.]+ of its parent, SQNR [\d.]+ dB, .*", said)
    shown = lineal("show", "both.gguf").out
    assert "quantization     5." in shown
    assert shown.count("Q4_0  SQNR ") == 3
    rows = lineal("show", "both.gguf", "--quantization").out.splitlines()
    assert rows[0].split()[:4] == ["tensor", "type", "weights", "bits"]
    assert len(rows) == 1 + TENSORS + 2
    assert [row.split()[0] for row in rows[-2:]] == ["rounded", "all"]
    report = json.loads(lineal("show", "both.gguf", "--json").out)["quantization"]
    assert report == json.loads(Path("both.gguf.lineal.json").read_text())["quantization"]
    assert len(report["tensors"]) == TENSORS
    assert lineal("show", "both.gguf", "--picture", "both.svg").code == 0
    assert ET.fromstring(Path("both.svg").read_text()).tag.endswith("svg")
    assert "both.svg exists; --force replaces it" in lineal("show", "both.gguf", "--picture", "both.svg").err
    assert lineal("show", "both.gguf", "--picture", "both.svg", "--force").code == 0
    refused = lineal("show", "both", "--quantization")
    assert (refused.code, refused.out) == (2, "")
    assert "both: no quantization of it was measured" in refused.err
