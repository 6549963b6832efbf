"""A GGUF of a GGUF is llama.cpp's own; and what llama.cpp writes is read where it lies."""

import json
import subprocess
from pathlib import Path

import gguf
import pytest
from gguf import GGUFReader, GGUFWriter

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.reader import Checkpoint, open_checkpoint
from tests.engines.quantizations import LLAMA3, quantize
from tests.llamas import make_llama
from tests.peers.conftest import HERE, LlamaCpp

pytestmark = pytest.mark.peers

FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rope = {"rope_theta": 1e4, **LLAMA3}
    return make_llama(tmp_path_factory.mktemp("parent") / "m", rope_parameters=rope)


def theirs(llama_cpp: LlamaCpp, source: Path, target: Path, scheme: str, *, in_parts: bool = False) -> Checkpoint:
    question = {"source": f"{source}", "target": f"{target}", "file_type": FILE_TYPES[scheme], "in_parts": in_parts}
    done = subprocess.run(
        [llama_cpp.python, HERE / "requantize_in_llama_cpp.py"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return open_checkpoint(target.with_name(f"{target.name}-00001-of-00003.gguf") if in_parts else target)


def content(checkpoint: Checkpoint) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (spec.dtype, spec.shape, bytes(checkpoint.read(name))) for name, spec in checkpoint.items()}


@pytest.mark.parametrize("scheme", FILE_TYPES)
@pytest.mark.parametrize("source", ["f16", "q8_0"])
def test_keys_and_tensors_are_those_that_llama_cpp_makes_of_the_same_gguf(
    parent: Path, tmp_path: Path, llama_cpp: LlamaCpp, source: str, scheme: str
) -> None:
    between = quantize(parent, tmp_path / source, source)
    expected = theirs(llama_cpp, between, tmp_path / "theirs.gguf", scheme)
    found = open_checkpoint(quantize(between, tmp_path / "ours", scheme))
    assert dict(found.metadata) == dict(expected.metadata)
    assert content(found) == content(expected)


@pytest.mark.parametrize("longer", range(0, 64, 8))
def test_what_it_makes_of_a_file_with_another_alignment_is_read_where_it_lies(
    parent: Path, tmp_path: Path, llama_cpp: LlamaCpp, longer: int
) -> None:
    plain = quantize(parent, tmp_path / "f16", "f16")
    source = _aligned(plain, tmp_path / "x.gguf", 64, longer)
    expected = theirs(llama_cpp, plain, tmp_path / "plain.gguf", "q8_0")
    found = theirs(llama_cpp, source, tmp_path / "theirs.gguf", "q8_0")
    assert found.metadata["general.alignment"].content == 64
    assert content(found) == content(expected)


def test_what_it_writes_in_parts_is_the_model_that_it_writes_in_one_file(
    parent: Path, tmp_path: Path, llama_cpp: LlamaCpp
) -> None:
    plain = quantize(parent, tmp_path / "f16", "f16")
    (tmp_path / "parts").mkdir()
    _rewritten(plain, GGUFWriter(tmp_path / "parts" / "x.gguf", "llama", split_max_tensors=8))
    first = min((tmp_path / "parts").iterdir())
    found = theirs(llama_cpp, first, tmp_path / "theirs", "q8_0", in_parts=True)
    assert len(found.weight_files) == 3
    theirs(llama_cpp, first, tmp_path / "whole.gguf", "q8_0")
    assert hash_folder(found.path).manifest == hash_folder(tmp_path / "whole.gguf").manifest


def _aligned(source: Path, target: Path, alignment: int, longer: int) -> Path:
    """The same model at another alignment; longer: so many bytes more in the keys."""
    writer = GGUFWriter(target, "llama")
    writer.add_custom_alignment(alignment)
    writer.add_string("general.description", "x" * (1 + longer))
    _rewritten(source, writer)
    return target


def _rewritten(source: Path, writer: GGUFWriter) -> None:
    """The same model by gguf-py."""
    reader = GGUFReader(source)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            items = field.types[1:]
            writer.add_key_value(key, field.contents(), field.types[0], items[0] if items else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=gguf.GGMLQuantizationType(tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
