"""A GGUF of a GGUF: its own keys, and the tensors that its parent would have given."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.headers.gguf_metadata import Metadata, Value
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.stream import tensor_pass
from lineal.errors import CheckpointError
from tests.builders import make_adapter, random_tensors
from tests.engines.quantizations import LLAMA3, plan, quantize
from tests.ggufs import write_gguf
from tests.llamas import make_llama

TYPED = {"general.file_type", "general.quantization_version"}


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A model that is stored in float16, with all that a GGUF of it has beside matrices."""
    folder = make_llama(tmp_path / "m", dtype=np.float16, rope_parameters={"rope_theta": 1e4, **LLAMA3})
    (folder / "generation_config.json").write_text('{"temperature": 0.5}')
    return folder


def keys(path: Path) -> Metadata:
    return open_checkpoint(path).metadata


@pytest.mark.parametrize("scheme", ["f32", "q8_0", "q4_0"])
@pytest.mark.parametrize("through", ["f16", "f32"])
def test_what_loses_nothing_in_between_gives_the_same_file(
    half: Path, tmp_path: Path, through: str, scheme: str
) -> None:
    at_once = quantize(half, tmp_path / "once", scheme)
    twice = quantize(quantize(half, tmp_path / "between", through), tmp_path / "twice", scheme)
    assert hash_folder(twice).manifest == hash_folder(at_once).manifest
    assert twice.read_bytes() == at_once.read_bytes()


def test_blocks_are_what_gguf_py_makes_of_what_it_decodes(half: Path, tmp_path: Path) -> None:
    parent = quantize(half, tmp_path / "q8", "q8_0")
    child = GGUFReader(quantize(parent, tmp_path / "q4", "q4_0"))
    for before, after in zip(GGUFReader(parent).tensors, child.tensors, strict=True):
        values = gguf.dequantize(before.data, before.tensor_type)
        assert after.data.tobytes() == gguf.quants.quantize(values, after.tensor_type).tobytes()
    assert {tensor.tensor_type.name for tensor in child.tensors} == {"F32", "Q4_0", "Q8_0"}


@pytest.mark.parametrize("scheme", ["q8_0", "q4_0", "bf16"])
def test_what_has_the_type_already_is_copied(half: Path, tmp_path: Path, scheme: str) -> None:
    once = quantize(half, tmp_path / "once", scheme)
    twice = quantize(once, tmp_path / "twice", scheme)
    assert twice.read_bytes() == once.read_bytes()


def test_keys_are_handed_on_as_they_are(half: Path, tmp_path: Path) -> None:
    """Whoever wrote them: also what is not UTF-8, and all that the file says of its origin."""
    written = keys(quantize(half, tmp_path / "f16", "f16"))
    told = {
        "general.license": Value(GGUFValueType.STRING, "mit"),
        "general.base_model.0.repo_url": Value(GGUFValueType.STRING, "https://example.org/base"),
        "tokenizer.ggml.scores": Value(GGUFValueType.ARRAY, (0.0, -1.5), GGUFValueType.FLOAT32),
        "tokenizer.chat_template": Value(GGUFValueType.STRING, "\udcff{{ messages }}"),
    }
    of_the_file = {
        "general.alignment": Value(GGUFValueType.UINT32, 64),
        "quantize.imatrix.file": Value(GGUFValueType.STRING, "/home/me/imatrix.dat"),
        "split.count": Value(GGUFValueType.UINT16, 1),
    }
    parent = _rewritten(tmp_path / "f16" / "model.gguf", {**written, **told, **of_the_file}, tmp_path / "x.gguf")
    found = keys(quantize(parent, tmp_path / "q8", "q8_0"))
    assert {key: value for key, value in found.items() if key not in TYPED} == {
        key: value for key, value in {**written, **told}.items() if key not in TYPED
    }
    assert found["general.file_type"].content == 7


def _rewritten(source: Path, metadata: Metadata, target: Path) -> Path:
    """The same tensors, with these keys, by gguf-py."""
    tensors = {
        tensor.name: (gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32), tensor.tensor_type.name)
        for tensor in GGUFReader(source).tensors
    }

    def raw(content: object) -> object:
        return content.encode(errors="surrogateescape") if isinstance(content, str) else content

    typed = {key: (v.kind, raw(v.content), *([] if v.items is None else [v.items])) for key, v in metadata.items()}
    architecture = metadata["general.architecture"]
    typed["general.architecture"] = (architecture.kind, architecture.content)
    return write_gguf(target, tensors, typed)  # type: ignore[arg-type]


def test_a_key_of_the_architecture_that_is_not_understood_is_refused(half: Path, tmp_path: Path) -> None:
    source = quantize(half, tmp_path / "f16", "f16")
    unknown = {"llama.attention.sliding_window": Value(GGUFValueType.UINT32, 8)}
    parent = _rewritten(source, {**keys(source), **unknown}, tmp_path / "x.gguf")
    with pytest.raises(CheckpointError, match=r"'llama\.attention\.sliding_window' is not understood"):
        plan(parent, "q8_0")


def test_rows_that_are_no_whole_blocks_are_stored_as_llama_cpp_stores_them_and_said(tmp_path: Path) -> None:
    source = quantize(make_llama(tmp_path / "m", intermediate_size=80), tmp_path / "f16", "f16")
    planned = plan(source, "q8_0")
    types = {tensor.name: tensor.dtype for tensor in planned.planned}
    assert types["blk.0.ffn_down.weight"] == "F16"
    assert types["blk.0.ffn_up.weight"] == "Q8_0"
    assert any("rows of 80" in remark and "F16" in remark for remark in planned.remarks)


@pytest.mark.parametrize("scheme", ["f32", "q8_0", "q4_0"])
@pytest.mark.parametrize("window", [1 << 17, 64])
def test_an_adapter_is_added_to_the_values_before_they_are_rounded(
    half: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, window: int
) -> None:
    """On the GGUF as on the folder of the same values; what it leaves alone in its type is copied."""
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
    shapes = {"mlp.up_proj": (96, 64), "self_attn.q_proj": (64, 64), "self_attn.k_proj": (32, 64)}
    pairs = {
        f"model.layers.{block}.{name}": tuple(random_tensors(block, {"a": (2, ins), "b": (outs, 2)}).values())
        for block in range(2)
        for name, (outs, ins) in shapes.items()
    }
    adapter = make_adapter(tmp_path / "a", pairs)  # type: ignore[arg-type]
    source = quantize(half, tmp_path / "f16", "f16")
    expected = quantize(half, tmp_path / "folder", scheme, adapter)
    found = quantize(source, tmp_path / "gguf", scheme, adapter)
    assert hash_folder(found).manifest == hash_folder(expected).manifest
    assert hash_folder(found).manifest != hash_folder(quantize(source, tmp_path / "plain", scheme)).manifest


def test_a_type_that_gguf_py_alone_decodes_is_a_source(half: Path, tmp_path: Path) -> None:
    source = quantize(half, tmp_path / "f16", "f16")
    tensors = {
        tensor.name: (
            gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32),
            "Q5_1" if tensor.tensor_type == GGMLQuantizationType.F16 else "F32",
        )
        for tensor in GGUFReader(source).tensors
    }
    typed = {key: (v.kind, v.content, *([] if v.items is None else [v.items])) for key, v in keys(source).items()}
    parent = write_gguf(tmp_path / "q5.gguf", tensors, typed)  # type: ignore[arg-type]
    child = GGUFReader(quantize(parent, tmp_path / "q8", "q8_0"))
    for before in GGUFReader(parent).tensors:
        after = next(tensor for tensor in child.tensors if tensor.name == before.name)
        wanted = gguf.quants.quantize(gguf.dequantize(before.data, before.tensor_type), after.tensor_type)
        assert after.data.tobytes() == wanted.tobytes()
