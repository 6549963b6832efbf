"""lineal quantize to a given size, as its users meet it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader, dequantize

from tests.cli.conftest import Command
from tests.cli.test_quantize_options import make_importance
from tests.cli.test_verbs import error_of
from tests.llamas import make_llama

SHAPE: dict[str, Any] = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4}


@pytest.fixture
def both(lineal: Command) -> Path:
    """A Llama, in the folder where commands run."""
    return make_llama(Path("both").resolve(), **SHAPE)


def bits_per_weight(path: str = "both.gguf") -> float:
    tensors = GGUFReader(path).tensors
    return 8 * sum(t.n_bytes for t in tensors) / sum(int(np.prod(t.shape)) for t in tensors)


def kinds(path: str = "both.gguf") -> dict[str, str]:
    return {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(path).tensors}


@pytest.mark.parametrize("bits", [3.1, 4.5, 6.0])
def test_bits_per_weight_are_kept_and_used(lineal: Command, both: Path, bits: float) -> None:
    answer = lineal("quantize", "./both", "--bits-per-weight", f"{bits}", "--out", "both.gguf")
    assert answer.code == 0, answer.err
    assert bits - 0.1 < bits_per_weight() <= bits
    assert "both.gguf: blk.*.attn_v.weight: Q" in answer.err
    words = ("quantize", "./both", "--bits-per-weight", f"{bits}", "--out", "both.gguf")
    assert "up to date" in lineal(*words).err


@pytest.mark.parametrize("size", [1_400_000, 2_000_000])
def test_a_size_is_that_of_the_whole_file(lineal: Command, both: Path, size: int) -> None:
    assert lineal("quantize", "./both", "--size", f"{size / 1e6}MB", "--out", "both.gguf").code == 0
    assert size - 40_000 < Path("both.gguf").stat().st_size <= size


def test_the_step_says_what_was_asked_for_and_the_type_of_most_weights(lineal: Command, both: Path) -> None:
    lineal("quantize", "./both", "--bits-per-weight", "4.6", "--out", "both.gguf")
    record = json.loads(Path("both.gguf.lineal.json").read_text())
    assert record["step"]["options"] == {"bits_per_weight": 4.6, "main_type": "q4_k"}
    assert "gguf 4.6 bits a weight" in lineal("log", "both.gguf").out
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == len(kinds())
    fields = GGUFReader("both.gguf").fields
    assert fields["general.file_type"].contents() == 14  # MOSTLY_Q4_K_S


def test_with_a_scheme_its_types_are_begun_with_and_those_by_name_are_kept(lineal: Command, both: Path) -> None:
    words = ("quantize", "./both", "--scheme", "q4_k_m", "--tensor-type", "attn_k=q8_0", "--out", "both.gguf")
    assert lineal(*words, "--bits-per-weight", "5.0").code == 0
    found = kinds()
    assert {found[f"blk.{block}.attn_k.weight"] for block in range(4)} == {"Q8_0"}
    assert bits_per_weight() <= 5.0
    plain = lineal("quantize", "./both", "--scheme", "q4_k_m", "--out", "plain.gguf")
    assert plain.code == 0
    fitting = f"{bits_per_weight('plain.gguf')}"
    assert (
        lineal("quantize", "./both", "--scheme", "q4_k_m", "--bits-per-weight", fitting, "--out", "same.gguf").code == 0
    )
    assert kinds("same.gguf") == kinds("plain.gguf")


def test_too_few_bytes_are_refused_with_the_least_there_is(lineal: Command, both: Path) -> None:
    answer = lineal("quantize", "./both", "--bits-per-weight", "1.5", "--out", "both.gguf")
    assert "bytes are too few; the smallest that there is takes" in error_of(answer)
    assert answer.code == 2
    assert not Path("both.gguf").exists()


def test_the_least_that_a_file_takes_is_enough_for_it(lineal: Command, both: Path) -> None:
    answer = lineal("quantize", "./both", "--size", "1kB", "--out", "both.gguf")
    assert "gguf: 1,000 bytes are too few" in error_of(answer)
    least = error_of(answer).rpartition(" ")[2].strip().replace(",", "")
    assert lineal("quantize", "./both", "--size", least, "--out", "both.gguf").code == 0
    assert Path("both.gguf").stat().st_size <= int(least)


def test_a_plan_tells_the_size_without_reading_a_weight(lineal: Command, both: Path) -> None:
    recipes = "".join(f"  b{n}: {{quantize: {{parent: both, bits_per_weight: {n}}}}}\n" for n in (3, 5))
    Path("family.yaml").write_text(f"models:\n  both: {{original: {{path: ./both}}}}\n{recipes}")
    planned = {line["name"]: line for line in json.loads(lineal("run", "--dry-run", "--json").out)}
    for n in (3, 5):
        assert n - 0.1 < 8 * planned[f"b{n}"]["tensor_bytes"] / planned[f"b{n}"]["parameters"] <= n


def test_columns_that_matter_more_have_their_say(lineal: Command, both: Path) -> None:
    """Where a matrix has importances its error counts by them: what is chosen changes, and the size holds."""
    make_importance(Path("imatrix.gguf"), 512)
    words = ("quantize", "./both", "--bits-per-weight", "4.0")
    assert lineal(*words, "--out", "plain.gguf").code == 0
    assert lineal(*words, "--imatrix", "imatrix.gguf", "--out", "weighed.gguf").code == 0
    assert bits_per_weight("weighed.gguf") <= 4.0
    (verdict,) = json.loads(lineal("verify", "weighed.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == len(kinds("weighed.gguf"))


@pytest.mark.parametrize(("scheme", "bits"), [("q6_k", 4.5), ("q4_k_m", 4.9), ("q8_0", 6.0)])
def test_a_gguf_is_fitted_and_what_has_its_type_already_is_copied(
    lineal: Command, both: Path, scheme: str, bits: float
) -> None:
    """Also where the types that are begun with are those of the parent."""
    assert lineal("quantize", "./both", "--scheme", scheme, "--out", "parent.gguf").code == 0
    answer = lineal("quantize", "parent.gguf", "--bits-per-weight", f"{bits}", "--out", "both.gguf")
    assert answer.code == 0, answer.err
    assert bits - 0.3 < bits_per_weight() <= bits
    before = {tensor.name: tensor for tensor in GGUFReader("parent.gguf").tensors}
    for after in GGUFReader("both.gguf").tensors:
        was = before[after.name]
        if was.tensor_type == after.tensor_type:
            assert after.data.tobytes() == was.data.tobytes()
        else:
            wanted, found = dequantize(was.data, was.tensor_type), dequantize(after.data, after.tensor_type)
            assert np.square(found - wanted).sum() < 0.2 * np.square(wanted).sum()
    (verdict,) = json.loads(lineal("verify", "both.gguf", "--json").out)
    assert verdict["tensors_recomputed"] == len(kinds())
