"""lineal quantize into packed weights, as its users meet it: the command, a family file, verify, show, Python."""

import json
from pathlib import Path

import pytest

import lineal as library
from lineal.derivation.quantization import QuantizationType
from lineal.methods.quantize.packed_schemes import PACKED_SCHEMES
from tests.builders import read_folder
from tests.cli.conftest import Command
from tests.cli.test_verbs import error_of
from tests.engines.packings import UP, wide_llama

FAMILY = """
models:
  mine: {original: {path: ./mine}}
  small: {quantize: {parent: mine, scheme: w4a16, group_size: 32}}
  float8: {quantize: {parent: mine, scheme: FP8_DYNAMIC, ignore: [lm_head, "re:.*down_proj"]}}
"""


@pytest.fixture
def mine(lineal: Command) -> Path:
    """A Llama, in the folder where commands run."""
    return wide_llama(Path("mine").resolve())


def test_the_method_follows_from_the_scheme(lineal: Command, mine: Path) -> None:
    words = ("quantize", "./mine", "--scheme", "w4a16", "--out", "small")
    answer = lineal(*words)
    assert answer.code == 0
    assert answer.out.startswith(f"{Path('small').resolve()}  b3:")
    assert "bits a weight" in answer.err
    assert f"{UP}.weight_packed" in read_folder(Path("small"))
    record = json.loads(Path("small/lineal.json").read_text())
    assert record["step"]["method"] == "rtn"
    assert record["derivation"]["quant_type"] == "int4"
    assert "up to date" in lineal(*words).err
    assert "up to date" in lineal(*words, "--group-size", "128").err


def test_what_was_done_is_shown_and_recomputed(lineal: Command, mine: Path) -> None:
    lineal("quantize", "./mine", "--scheme", "w4a16", "--no-symmetric", "--out", "small")
    told = json.loads(lineal("show", "small", "--json").out)
    assert told["quantization"]["tensors"][f"{UP}.weight"]["weights"] == 256 * 128
    assert f"{UP}.weight" in lineal("show", "small", "--quantization").out
    for words in ((), ("--sample", "0.3")):
        answer = lineal("verify", "small", *words)
        assert answer.code == 0, answer.err
        assert "recomputed, equal" in answer.out


def test_a_changed_scale_is_found(lineal: Command, mine: Path) -> None:
    lineal("quantize", "./mine", "--scheme", "w8a8", "--out", "small")
    file = Path("small/model.safetensors")
    raw = bytearray(file.read_bytes())
    size = int.from_bytes(raw[:8], "little")
    start = json.loads(raw[8 : 8 + size])[f"{UP}.weight_scale"]["data_offsets"][0]
    raw[8 + size + start] ^= 1
    file.write_bytes(raw)
    assert lineal("verify", "small").code == 1


def test_a_family_file_plans_and_makes_them(lineal: Command, mine: Path) -> None:
    Path("family.yaml").write_text(FAMILY)
    planned = {line["name"]: line for line in json.loads(lineal("run", "--dry-run", "--json").out)}
    assert planned["small"]["how"] == "quantize, rtn"
    assert lineal("run", "--no-evaluate").code == 0
    for name in ("small", "float8"):
        stored = read_folder(Path("models") / name)
        assert planned[name]["tensor_bytes"] == sum(one.nbytes for one in stored.values())
        assert lineal("verify", f"models/{name}").code == 0
    assert f"{UP}.weight_scale" in read_folder(Path("models/float8"))
    assert not [name for name in read_folder(Path("models/float8")) if "down_proj.weight_scale" in name]
    assert {line["status"] for line in json.loads(lineal("run", "--dry-run", "--json").out)} == {"present"}


def test_python_makes_them_too(lineal: Command, mine: Path) -> None:
    made = library.quantize("./mine", out="small", scheme="w4a16", group_size="channel")
    assert made.hash == library.open("small").hash
    assert read_folder(Path("small"))[f"{UP}.weight_scale"].shape == (256, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--scheme", "w4a61"), "unknown scheme 'w4a61' (did you mean w4a16?)"),
        (("--scheme", "w4a16", "--group-size", "48"), "group_size is one of 32, 64, 128, channel or tensor, got '48'"),
        (("--scheme", "w4a16", "--imatrix", "text.txt"), "rtn: an importance matrix is for GGUF's schemes"),
        (("--scheme", "w4a16", "--data", "text.txt"), "rtn: takes no texts as data"),
        (("--scheme", "q4_0", "--data", "text.txt"), "gguf: takes no texts as data"),
        (("--scheme", "w4a16", "--grup-size", "32"), "no such option --grup-size (did you mean --group-size?)"),
    ],
)
def test_a_mistake_is_one_line(lineal: Command, mine: Path, words: tuple[str, ...], message: str) -> None:
    Path("text.txt").write_text("a text")
    answer = lineal("quantize", "./mine", *words, "--out", "small")
    assert message in error_of(answer)
    assert answer.code == 2
    assert not Path("small").exists()


def test_every_scheme_has_a_type_that_sums_it_up() -> None:
    found = {name: QuantizationType.of_scheme(name).value for name in PACKED_SCHEMES}
    assert (found["w4a16"], found["w8a8"], found["fp8_block"], found["mxfp4"]) == ("int4", "int8", "fp8", "mxfp4")
