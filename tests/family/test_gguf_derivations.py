"""What is pruned and quantized of a GGUF: from its values as gguf-py decodes them, and recomputed by `verify`."""

import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGUFReader
from transformers import AutoTokenizer

from lineal.engines.inference.language_model import load_model
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_references
from tests.builders import read_folder
from tests.engines.tiny_models import make_model
from tests.family.conftest import write_family
from tests.family.test_gguf_parents import HEADS, expected
from tests.reference.prune import magnitude

FAMILY = """
family: small
models:
  m: {original: {path: ./m}}
  q.gguf: {quantize: {parent: m, scheme: %s}}
  whole: {merge: {parents: [q.gguf], method: passthrough}}
  lean: {prune: {parent: q.gguf, sparsity: 0.5, scope: row}}
  small.gguf: {quantize: {parent: q.gguf, scheme: q4_0}}
  smaller: {quantize: {parent: small.gguf, scheme: q4_0}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_model(
        tmp_path_factory.mktemp("parent") / "m",
        hidden_size=64,
        intermediate_size=96,
        num_attention_heads=HEADS["q_proj"],
        num_key_value_heads=HEADS["k_proj"],
    )
    (folder / "LICENSE").write_text("MIT")
    return folder


def built(session: Session, model: Path, at: Path, scheme: str) -> dict[str, LocalModel]:
    shutil.copytree(model, at / "m", dirs_exist_ok=True)
    return dict(run_family(session, read_family(write_family(at, FAMILY % scheme)), at / "models"))


@pytest.mark.parametrize("scheme", ["f32", "f16", "q8_0", "q4_0"])
def test_a_pruning_is_of_the_decoded_values_and_makes_an_ordinary_folder(
    session: Session, model: Path, tmp_path: Path, scheme: str
) -> None:
    local = built(session, model, tmp_path, scheme)
    child, whole = read_folder(local["lean"].folder), read_folder(local["whole"].folder)
    assert {name: t.dtype for name, t in child.items()} == {name: t.dtype for name, t in whole.items()}
    for name, values in expected(local["q.gguf"].path, list(child)).items():
        wanted = magnitude(values, 0.5, "row") if ".layers." in name and values.ndim == 2 else values
        assert child[name].tobytes() == wanted.astype(child[name].dtype).tobytes(), name
    for package in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (local["lean"].folder / package).read_bytes() == (local["whole"].folder / package).read_bytes()
    ids = AutoTokenizer.from_pretrained(local["lean"].folder)("def f(x): return x")["input_ids"]
    assert ids == AutoTokenizer.from_pretrained(model)("def f(x): return x")["input_ids"]
    assert load_model(local["lean"].folder).config.model_type == "llama"


def test_a_quantization_is_of_the_decoded_values(session: Session, model: Path, tmp_path: Path) -> None:
    local = built(session, model, tmp_path, "q8_0")
    child = {tensor.name: tensor for tensor in GGUFReader(local["small.gguf"].path).tensors}
    for tensor in GGUFReader(local["q.gguf"].path).tensors:
        values, made = gguf.dequantize(tensor.data, tensor.tensor_type), child[tensor.name]
        assert made.data.tobytes() == gguf.quants.quantize(values, made.tensor_type).tobytes()
    assert local["smaller"].model_hash == local["small.gguf"].model_hash


def test_what_was_made_is_recomputed_equal_and_up_to_date_the_next_time(
    session: Session, model: Path, tmp_path: Path
) -> None:
    local = built(session, model, tmp_path, "q8_0")
    verdicts = {verdict.label: verdict for verdict in verify_references(session, [], "small")}
    assert all(verdict.ok for verdict in verdicts.values()), verdicts
    for name in ("lean", "small.gguf"):
        assert verdicts[name].recomputed == len(local[name].checkpoint)
        (record, *_) = session.registry.steps_of(local[name].model_hash)
        assert [used.model_hash for used in record.step.inputs] == [local["q.gguf"].model_hash]
    written = {name: one.path.stat().st_mtime_ns for name, one in local.items()}
    again = built(session, model, tmp_path, "q8_0")
    assert {name: one.path.stat().st_mtime_ns for name, one in again.items()} == written


def test_parts_are_pruned_as_the_file_that_they_were(session: Session, model: Path, tmp_path: Path) -> None:
    local = built(session, model, tmp_path, "q8_0")
    parts = in_parts(local["q.gguf"].path, tmp_path / "parts")
    text = f"models: {{x: {{prune: {{parent: {parts}, sparsity: 0.5, scope: row}}}}}}"
    family = read_family(write_family(tmp_path, text), session.knows)
    child = run_family(session, family, tmp_path / "other")["x"]
    assert child.model_hash == local["lean"].model_hash
    (record, *_) = session.registry.steps_of(child.model_hash)
    assert record.step.inputs[0].model_hash == local["q.gguf"].model_hash


def in_parts(source: Path, folder: Path) -> Path:
    """The same model in several files, by gguf-py; its first part."""
    folder.mkdir()
    reader = GGUFReader(source)
    writer = gguf.GGUFWriter(folder / "x.gguf", "llama", split_max_tensors=7)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            items = field.types[1:]
            writer.add_key_value(key, field.contents(), field.types[0], items[0] if items else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert len(list(folder.iterdir())) > 2
    return min(folder.iterdir())


def test_a_pruning_of_a_gguf_in_a_folder_takes_its_licence_along(session: Session, model: Path, tmp_path: Path) -> None:
    text = FAMILY.replace("q.gguf", "q") % "q8_0"
    shutil.copytree(model, tmp_path / "m")
    local = run_family(session, read_family(write_family(tmp_path, text)), tmp_path / "models")
    for name in ("lean", "whole"):
        assert (local[name].folder / "LICENSE").read_text() == "MIT"
