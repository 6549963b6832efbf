"""Weights stored as codes in another layout, in another vocabulary, as heads, and in folders of headers alone."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.reader import HEADERS_ONLY, open_checkpoint, open_headers
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream import tensor_pass
from lineal.errors import CheckpointError
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.recipe.vocabulary import Vocabulary
from tests import mixtures
from tests.builders import CONFIG, Array, make_checkpoint, make_tokenizer, random_tensors, read_folder
from tests.engines.merges import write
from tests.engines.vocabularies import EMBEDDING, TABLES, recipe
from tests.reference.quantized import FORMS, float8, spread

FLOAT8 = {"quant_method": "fp8", "weight_block_size": [16, 8]}


def opened(folder: Path) -> Model:
    return full_model(folder.name, open_checkpoint(folder))


def passed_through(folder: Path, model: Model) -> dict[str, Array]:
    write(plan_merge(Passthrough(), [model]), folder)
    return read_folder(folder)


def fused_float8(folder: Path) -> tuple[dict[str, Array], dict[str, Array]]:
    """A mixture as transformers 5 holds it, its experts as float8: what is stored, and what it stands for."""
    stored: dict[str, Array] = {}
    values: dict[str, Array] = {}
    for name, tensor in mixtures.fused(mixtures.mixture(1)).items():
        if ".experts." not in name:
            stored[name] = values[name] = tensor
            continue
        found = float8(FLOAT8, (16, 8), f"{name}_scale_inv", published=name).store(tensor)
        stored |= found.tensors
        values[name] = found.values
    mixtures.write_mixture(folder, stored, quantization_config=FLOAT8, dtype="float32")
    return stored, values


def test_experts_that_are_fused_codes_are_merged_with_experts_apart(tmp_path: Path) -> None:
    _, values = fused_float8(tmp_path / "q")
    apart = mixtures.mixture(2)
    mixtures.write_mixture(tmp_path / "apart", apart)
    ours, theirs = opened(tmp_path / "q"), opened(tmp_path / "apart")
    assert set(ours) == set(theirs)
    assert passed_through(tmp_path / "same", ours).keys() == values.keys()  # in its parent's layout
    assert all(np.array_equal(t, values[name]) for name, t in read_folder(tmp_path / "same").items())
    plan = plan_merge(Linear(), [theirs, ours])
    assert plan.rules == 2
    read = write(plan, tmp_path / "child")
    child = mixtures.fused(read_folder(tmp_path / "child"))
    half, other = np.float32(0.5), mixtures.fused(apart)
    assert all(np.array_equal(child[name], half * other[name] + half * values[name]) for name in values)
    hashes = hash_folder(tmp_path / "q")
    (parts,) = (digests for path, digests in read.items() if "/q/" in path)
    assert hashes.differing(parts) is None
    assert hashes.differing({**parts, "model.layers.0.mlp.experts.0.gate_proj.weight": b"other"}) is not None
    assert {name for name in parts if name.endswith("_scale_inv")} == {
        f"model.layers.{block}.mlp.experts.{part}_proj_scale_inv" for block in (0, 1) for part in ("gate_up", "down")
    }


@pytest.mark.parametrize("window", [1 << 17, 100])
@pytest.mark.parametrize("form", ["w3a16", "w3a16 of rows", "w8a8", "fp8 of blocks"])
def test_rows_of_tokens_are_taken_from_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, window: int
) -> None:
    """w3a16 of rows: 99 columns, so that rows of codes are filled up to words."""
    monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
    width = 99 if form == "w3a16 of rows" else 96
    values: list[Array] = []
    found: list[Model] = []
    for place, table in enumerate(TABLES[:2]):
        matrix = random_tensors(place, {EMBEDDING: (len(table), width)})[EMBEDDING]
        stored = FORMS[form].store(matrix)
        values.append(stored.values)
        tensors = {f"model.embed_tokens.{name}": tensor for name, tensor in stored.tensors.items()}
        settings = {"quantization_config": FORMS[form].settings, "dtype": "float32", "tie_word_embeddings": True}
        folder = make_checkpoint(tmp_path / str(place), tensors, {**CONFIG, "vocab_size": len(table), **settings})
        make_tokenizer(folder, table)
        found.append(opened(folder))
    write(plan_recipe(recipe(Vocabulary(tokenizer=0), models=(0, 1)), found), tmp_path / "child")
    child, rows = read_folder(tmp_path / "child")[EMBEDDING], TABLES[0]
    for token, row in rows.items():
        other = values[1][TABLES[1][token]] if token in TABLES[1] else values[0][row]
        assert np.allclose(child[row], 0.5 * values[0][row] + 0.5 * other, rtol=0, atol=1e-6), token


def test_a_head_of_codes_is_one_of_its_own_whatever_the_config_ties(tmp_path: Path) -> None:
    found = FORMS["w4a16"].store(random_tensors(1, {"a": (12, 64)})["a"])
    tensors = {f"lm_head.{name}": tensor for name, tensor in found.tensors.items()}
    tensors |= {EMBEDDING: random_tensors(2, {EMBEDDING: (12, 64)})[EMBEDDING]}
    config = {**CONFIG, "quantization_config": FORMS["w4a16"].settings, "tie_word_embeddings": True}
    model = opened(make_checkpoint(tmp_path / "a", tensors, config))
    assert set(model) == {"lm_head.weight", EMBEDDING}
    assert model.config["tie_word_embeddings"] is False
    assert model.rules == 2


@pytest.mark.parametrize("form", ["w4a16", "w5a16 of rows", "gpt-oss", "nvfp4"])
def test_headers_alone_tell_what_a_child_will_be(tmp_path: Path, form: str) -> None:
    shape = (2, 64, 8) if form == "gpt-oss" else (8, 64)
    found = FORMS[form].store(random_tensors(1, {"a": shape})["a"])
    tensors = {f"model.layers.0.mlp.{name}": tensor for name, tensor in found.tensors.items()}
    folder = make_checkpoint(tmp_path / "a", tensors, {**CONFIG, "quantization_config": FORMS[form].settings})
    told = {name: (source.dtype, source.shape) for name, source in opened(folder).items()}
    (folder / HEADERS_ONLY).touch()
    alone = full_model("a", open_headers(folder))
    assert {name: (source.dtype, source.shape) for name, source in alone.items()} == told
    assert list(told.values()) == [("BF16", found.values.shape)]


def test_a_language_model_inside_of_another_may_hold_the_settings(tmp_path: Path) -> None:
    found = FORMS["w8a8"].store(random_tensors(1, {"a": (8, 16)})["a"])
    tensors = {f"model.layers.0.mlp.up_proj.{name}": tensor for name, tensor in found.tensors.items()}
    inner = {"hidden_size": 8, "quantization_config": FORMS["w8a8"].settings}
    folder = make_checkpoint(tmp_path / "a", tensors, {"model_type": "none", "dtype": "float32", "text_config": inner})
    model = opened(folder)
    assert "quantization_config" not in json.dumps(model.config)
    child = passed_through(tmp_path / "child", model)
    assert child["model.layers.0.mlp.up_proj.weight"].tobytes() == found.values.tobytes()


@pytest.mark.parametrize(
    ("rows", "sizes"), [(192, [128, 128]), (100, [64, 64])], ids=["blocks cut off", "the last block smaller"]
)
def test_blocks_are_as_large_as_the_config_says_where_shapes_alone_say_otherwise(
    tmp_path: Path, rows: int, sizes: list[int]
) -> None:
    """192 rows behind 2 rows of scales: 128 and 64, not twice 96."""
    weight, scales = (
        random_tensors(1, {"w": (rows, 32)})["w"].astype(ml_dtypes.float8_e4m3fn),
        np.array([[2], [3]], np.float32),
    )
    tensors = {"a.weight": weight, "a.weight_scale_inv": scales}
    settings: dict[str, Any] = {"quant_method": "fp8", "weight_block_size": sizes}
    config = {**CONFIG, "quantization_config": settings, "dtype": "float32"}
    child = passed_through(tmp_path / "child", opened(make_checkpoint(tmp_path / "a", tensors, config)))
    wanted = weight.astype(np.float32) * spread(scales, (sizes[0], sizes[1]), (rows, 32))
    assert child["a.weight"].tobytes() == wanted.tobytes()


def test_a_format_without_sizes_of_blocks_takes_none_from_shapes(tmp_path: Path) -> None:
    tensors = {
        "a.weight": np.ones((64, 64), ml_dtypes.float8_e4m3fn),
        "a.weight_scale_inv": np.ones((2, 2), np.float32),
    }
    config = {**CONFIG, "quantization_config": {"quant_method": "fp8"}}
    with pytest.raises(CheckpointError, match="makes no scales for the weight F8_E4M3"):
        opened(make_checkpoint(tmp_path / "a", tensors, config))
