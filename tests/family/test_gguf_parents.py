"""GGUFs as parents of merges: their values as gguf-py decodes them, under transformers' names."""

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from transformers import AutoTokenizer

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.engines.inference.language_model import load_model, load_tokenizer
from lineal.engines.stream import tensor_pass
from lineal.family.build.one_off import derive, family_of_recipe
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_references
from tests.builders import Array, make_checkpoint, read_folder
from tests.engines.tiny_models import make_model
from tests.family.conftest import write_family
from tests.llamas import gguf_name, permuted

FAMILY = """
family: small
models:
  m: {original: {path: ./m}}
  q.gguf: {quantize: {parent: m, scheme: %s}}
  same: {merge: {parents: [q.gguf, q.gguf], method: linear}}
  mixed: {merge: {parents: [m, q.gguf], method: linear}}
"""
HEADS = {"q_proj": 4, "k_proj": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(
        tmp_path_factory.mktemp("parent") / "m",
        hidden_size=64,
        intermediate_size=96,
        num_attention_heads=HEADS["q_proj"],
        num_key_value_heads=HEADS["k_proj"],
    )


def built(session: Session, model: Path, at: Path, scheme: str) -> dict[str, LocalModel]:
    shutil.copytree(model, at / "m", dirs_exist_ok=True)
    return dict(run_family(session, read_family(write_family(at, FAMILY % scheme)), at / "models"))


def decoded(path: Path) -> dict[str, Array]:
    """GGUF's name -> float32 values, by the gguf library."""
    found: dict[str, Array] = {}
    for tensor in GGUFReader(path).tensors:
        shape = tuple(int(size) for size in tensor.shape)[::-1]
        found[tensor.name] = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
    return found


def expected(path: Path, names: list[str]) -> dict[str, Array]:
    """transformers' name -> values: q and k rows back from pairs to halves, one head at a time."""
    stored = decoded(path)
    found: dict[str, Array] = {}
    for name in names:
        values = stored[gguf_name(name)]
        heads = next((count for part, count in HEADS.items() if part in name), None)
        if heads:
            size = len(values) // heads
            rows = [h * size + 2 * (i % (size // 2)) + i // (size // 2) for h in range(heads) for i in range(size)]
            values = values[rows]
            assert np.array_equal(permuted(values, heads), stored[gguf_name(name)])
        found[name] = values
    return found


@pytest.mark.parametrize("scheme", ["f32", "bf16", "f16", "q8_0", "q4_0"])
@pytest.mark.parametrize("window", [1 << 17, 64])
def test_a_merge_of_a_gguf_with_itself_is_what_gguf_py_decodes(
    session: Session, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, window: int
) -> None:
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
    local = built(session, model, tmp_path, scheme)
    child, parent = read_folder(local["same"].folder), read_folder(model)
    assert set(child) == set(parent)
    for name, values in expected(local["q.gguf"].path, list(child)).items():
        stored = values.astype(np.float16) if scheme.startswith("q") and child[name].dtype == np.float16 else values
        assert child[name].astype(np.float32).tobytes() == stored.astype(np.float32).tobytes()
    both = read_folder(local["mixed"].folder)
    assert {name: values.dtype for name, values in both.items()} == {n: v.dtype for n, v in parent.items()}


def test_it_is_an_ordinary_folder_that_computes_and_reads_as_the_gguf(
    session: Session, model: Path, tmp_path: Path
) -> None:
    local = built(session, model, tmp_path, "f32")
    text = "def f(x): return x"
    ours, theirs = (load_tokenizer(local[name].path) for name in ("same", "q.gguf"))
    assert ours(text)["input_ids"] == theirs(text)["input_ids"]
    assert AutoTokenizer.from_pretrained(local["same"].folder)(text)["input_ids"] == ours(text)["input_ids"]
    import torch

    ids = torch.tensor([ours(text)["input_ids"]])
    logits = [load_model(local[name].path)(ids).logits for name in ("same", "m")]
    assert torch.equal(logits[0], logits[1])


def test_a_gguf_parent_is_verified_by_recomputation_and_hashed_as_it_is_read(
    session: Session, model: Path, tmp_path: Path
) -> None:
    local = built(session, model, tmp_path, "q8_0")
    verdicts = {v.label: v for v in verify_references(session, [], "small")}
    assert all(verdict.ok for verdict in verdicts.values()), verdicts
    assert verdicts["same"].recomputed == verdicts["mixed"].recomputed == len(local["same"].checkpoint)
    (step,) = session.registry.steps_of(local["same"].model_hash)
    assert {i.model_hash for i in step.step.inputs} == {local["q.gguf"].model_hash}


def test_a_plan_knows_what_comes_out_before_anything_is_built(session: Session, model: Path, tmp_path: Path) -> None:
    local = built(session, model, tmp_path, "q8_0")
    text = f"models: {{x: {{merge: {{parents: [{local['q.gguf'].path}], method: passthrough}}}}}}"
    (plan,) = plan_family(session, read_family(write_family(tmp_path, text), session.knows), tmp_path / "other")
    assert plan.parameters == parameters_of(local["same"].checkpoint)
    assert plan.tensor_bytes == local["same"].checkpoint.tensor_bytes


def test_a_recipe_takes_blocks_of_a_gguf(session: Session, model: Path, tmp_path: Path) -> None:
    local = built(session, model, tmp_path, "q8_0")
    recipe = tmp_path / "recipe.yml"
    recipe.write_text(
        f"merge_method: passthrough\nslices:\n - sources: [{{model: {local['q.gguf'].path}, layer_range: [1, 2]}}]\n"
    )
    family = family_of_recipe(session, recipe, tmp_path / "cut", allow_nonfinite=False)
    folder = run_family(session, family, tmp_path)["cut"].folder
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 1
    whole = read_folder(local["same"].folder)
    child = read_folder(folder)
    name = "model.layers.{}.self_attn.q_proj.weight"
    assert child[name.format(0)].tobytes() == whole[name.format(1)].tobytes()


def test_a_licence_beside_a_gguf_in_a_folder_travels_and_one_beside_a_lone_file_does_not(
    session: Session, model: Path, tmp_path: Path
) -> None:
    text = FAMILY.replace("  same", "  whole: {quantize: {parent: m, scheme: f32}}\n  same") % "f32"
    text += "  from_folder: {merge: {parents: [whole, whole], method: linear}}\n"
    shutil.copytree(model, tmp_path / "m")
    (tmp_path / "m" / "LICENSE").write_text("MIT")
    local = run_family(session, read_family(write_family(tmp_path, text)), tmp_path / "models")
    (tmp_path / "models" / "NOTICE").write_text("of whoever")
    assert (local["from_folder"].folder / "LICENSE").read_text() == "MIT"
    assert not (local["same"].folder / "LICENSE").exists()


@pytest.mark.parametrize("kind", ["Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "TQ2_0"])
def test_every_block_type_that_gguf_py_decodes_is_decoded(kind: str) -> None:
    from lineal.checkpoint.codes.dtypes import decode
    from lineal.checkpoint.headers.storage import BLOCKS

    values, size = BLOCKS[kind]
    raw: Any = np.random.default_rng(1).integers(0, 255, 7 * size, np.uint8)
    out = np.empty(7 * values, np.float32)
    with np.errstate(all="ignore"):
        decode(raw, kind, out)
        assert out.tobytes() == gguf.dequantize(raw, GGMLQuantizationType[kind]).astype(np.float32).tobytes()


@pytest.mark.parametrize("scheme", ["f32", "q8_0"])
@pytest.mark.parametrize("donor", ["q.gguf", "n"])
def test_a_gguf_gives_and_takes_tokens(
    session: Session, model: Path, tmp_path: Path, scheme: str, donor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A union of the GGUF with a model whose ids stand in another order, with one token that it alone has."""
    gguf_model = built(session, model, tmp_path, scheme)["q.gguf"]
    ids = _reordered(model, tmp_path / "n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yml").write_text(
        "merge_method: linear\nmodels: [{model: ./models/q.gguf}, {model: ./n}]\n"
        f"base_model: {'./models/q.gguf' if donor == 'q.gguf' else './n'}\ntokenizer_source: union\n"
    )
    family = family_of_recipe(session, tmp_path / "recipe.yml", tmp_path / "out", allow_nonfinite=False)
    merged = derive(session, family, tmp_path / "out")
    child, old = (AutoTokenizer.from_pretrained(folder) for folder in (merged.folder, model))
    name = "model.embed_tokens.weight"
    theirs = read_folder(tmp_path / "n")[name]
    ours = expected(gguf_model.path, [name])[name]
    found = read_folder(merged.folder)[name]
    assert len(found) == len(child) == len(old) + 1
    for token, index in child.get_vocab().items():
        mine = ours[old.get_vocab()[token]] if token in old.get_vocab() else theirs[ids[token]]
        wanted = (mine.astype(np.float64) + theirs[ids[token]]) / 2
        np.testing.assert_allclose(found[index].astype(np.float64), wanted, rtol=1e-3, atol=1e-3)
    (verdict,) = verify_references(session, [str(merged.folder)])
    assert (verdict.ok, verdict.faults) == (True, ())


def _reordered(model: Path, folder: Path) -> dict[str, int]:
    """The same model with its ordinary tokens the other way round, and one more token; token -> id."""
    shutil.copytree(model, folder)
    tokenizer: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text())
    added = {entry["content"] for entry in tokenizer["added_tokens"]}
    table: dict[str, int] = tokenizer["model"]["vocab"]
    plain = [token for token in sorted(table, key=lambda token: table[token]) if token not in added]
    places = sorted(table[token] for token in plain)
    ids = {**table, **dict(zip(reversed(plain), places, strict=True))}
    extra = max(ids.values()) + 1
    tokenizer["model"]["vocab"] = dict(sorted(ids.items(), key=lambda entry: entry[1]))
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "id": extra, "content": "<extra>"})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    tensors = read_folder(folder)
    order = [table[token] for token in tokenizer["model"]["vocab"]]
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in tensors:
            tensors[name] = np.concatenate([tensors[name][order], tensors[name][:1] + 1])
    config = json.loads((folder / "config.json").read_text())
    make_checkpoint(folder, tensors, {**config, "vocab_size": extra + 1})
    return {**ids, "<extra>": extra}
