"""Models with different vocabularies: each row of the child is what a plain reading of the rules makes of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_recipe
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.recipe.vocabulary import TokenRow, Vocabulary
from tests.builders import (
    Array,
    make_adapter,
    read_folder,
    write_json,
)
from tests.engines.merges import distance_in_ulps, folder_bytes, write
from tests.engines.vocabularies import BIAS, EMBEDDING, HEAD, TABLES, WIDTH, WORDS, models, recipe


def merged(folder: Path, recipe: MergeRecipe, inputs: Sequence[Model], **options: Any) -> dict[str, Array]:
    plan = plan_recipe(recipe, inputs)
    write(plan, folder, **options)
    plan.child.write_package(folder)
    return read_folder(folder)


def wanted(
    name: str, tensors: Sequence[Mapping[str, Array]], base: int | None, ids: Mapping[str, int], rows: int
) -> list[Array]:
    """What each model's tensor is in a vocabulary, in float64: a dictionary a model, a row at a time."""
    own = [{token: model[name][row].astype(np.float64) for token, row in t.items()} for model, t in _pairs(tensors)]
    found: list[Array] = []
    for known in own:
        matrix = np.zeros((rows, *tensors[0][name].shape[1:]))
        for token, index in ids.items():
            others = [one[token] for one in own if token in one]
            if token in known:
                matrix[index] = known[token]
            elif base is not None and token in own[base]:
                matrix[index] = own[base][token]
            else:
                matrix[index] = np.mean(others, axis=0)
        filled = sorted(set(range(rows)) - set(ids.values()))
        matrix[filled] = np.mean([matrix[index] for index in ids.values()], axis=0)
        found.append(matrix)
    return found


def _pairs(tensors: Sequence[Mapping[str, Array]]) -> list[tuple[Mapping[str, Array], Mapping[str, int]]]:
    return list(zip(tensors, TABLES, strict=True))


def union(first: int) -> dict[str, int]:
    ids = dict(TABLES[first])
    for table in TABLES:
        for token in table:
            ids.setdefault(token, len(ids))
    return ids


@pytest.mark.parametrize(
    ("vocabulary", "ids", "rows"),
    [
        (Vocabulary(tokenizer=0, union=True), union(0), 360),
        (Vocabulary(tokenizer=1, union=True, base=1), union(1), 360),
        (Vocabulary(tokenizer=0, base=0), TABLES[0], 300),
        (Vocabulary(tokenizer=2, base=1), TABLES[2], 110),
        (Vocabulary(tokenizer=2, multiple=64), TABLES[2], 128),
    ],
)
def test_rows_follow_the_rules(tmp_path: Path, vocabulary: Vocabulary, ids: Mapping[str, int], rows: int) -> None:
    inputs = models(tmp_path)
    tensors = [read_folder(model.folder) for model in inputs]
    child = merged(tmp_path / "child", recipe(vocabulary), inputs)
    assert json.loads((tmp_path / "child" / "config.json").read_text())["vocab_size"] == rows
    for name in (EMBEDDING, HEAD, BIAS):
        expected = np.mean(wanted(name, tensors, vocabulary.base, ids, rows), axis=0)
        assert child[name].shape == expected.shape
        assert distance_in_ulps(child[name], expected, np.abs(expected) + 1) <= 2
    assert child["model.norm.weight"].shape == (WIDTH,)


def test_rules_for_single_tokens(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    one, two, three = (read_folder(model.folder)[EMBEDDING] for model in inputs)
    rules = {
        "w0": TokenRow(model=1),  # which the first two have
        "w1": TokenRow(model=0, force=True),
        "v0": TokenRow(),  # which the first has not
        "new": TokenRow(model=2, token="v1", force=True),
        "other": TokenRow(model=2, row=len(TABLES[2]) + 3),  # a row behind all tokens
    }
    child = merged(tmp_path / "child", recipe(Vocabulary(tokenizer=0, tokens=rules)), inputs)[EMBEDDING]
    assert len(child) == len(WORDS) + 3
    expected = {
        "w0": (one[0] + two[199] + two[199]) / 3,
        "w1": one[1],
        "v0": (np.zeros(WIDTH) + two[TABLES[1]["v0"]] + three[0]) / 3,
        "new": three[1],
        "other": three[len(TABLES[2]) + 3],
    }
    ids = {**TABLES[0], "v0": 300, "new": 301, "other": 302}
    for token, row in expected.items():
        np.testing.assert_allclose(child[ids[token]], row, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_any_threads_windows_and_shards_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    found = []
    for index, (shards, threads, window) in enumerate([(1, 1, 1 << 17), (3, 2, 4096), (2, 3, 3 * 4096)]):
        monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
        inputs = models(tmp_path / f"{index}", ml_dtypes.bfloat16, shards)
        made = recipe(Vocabulary(tokenizer=1, union=True, multiple=1024), method, (0, 2))
        merged(tmp_path / f"child{index}", made, inputs, threads=threads)
        found.append(folder_bytes(tmp_path / f"child{index}"))
    assert found[0] == found[1] == found[2]


def test_all_that_is_read_was_planned_and_is_hashed(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    plan = plan_recipe(recipe(Vocabulary(tokenizer=1, union=True, multiple=1024), "slerp", (0, 2)), inputs)
    done: list[int] = []
    read = stream(plan.jobs, Recomputation(), threads=1, bytes_done=done.append)
    assert sum(done) == plan.bytes_read
    for place in (0, 2):
        hashes = next(found for path, found in read.items() if path.startswith(str(inputs[place].folder)))
        assert {EMBEDDING, HEAD, BIAS, "model.norm.weight"} <= hashes.keys()


def test_an_adapter_on_the_embedding_is_added_to_the_rows_that_it_is_of(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    pair = (
        np.random.default_rng(1).standard_normal((4, WIDTH), np.float32),
        np.ones((inputs[1].sources[EMBEDDING].shape[0], 4), np.float32),
    )
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", {EMBEDDING.removesuffix(".weight"): pair}))
    adapted = full_model("adapter", inputs[1].checkpoint, adapter)
    whole = Vocabulary(tokenizer=0)
    child = merged(tmp_path / "child", recipe(whole, models=(0, 1)), [inputs[0], adapted])[EMBEDDING]
    plain = merged(tmp_path / "plain", recipe(whole, models=(0, 1)), inputs[:2])[EMBEDDING]
    scale = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    update = pair[0].sum(axis=0) * scale["lora_alpha"] / scale["r"]
    known = [index for token, index in TABLES[0].items() if token in TABLES[1]]
    np.testing.assert_allclose(child[known] - plain[known], np.tile(update / 2, (len(known), 1)), atol=1e-5)
    strange = [index for token, index in TABLES[0].items() if token not in TABLES[1]]
    assert np.array_equal(child[strange], plain[strange])


def test_a_tokenizer_comes_with_all_its_files_and_the_ids_of_its_special_tokens(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    donor, other = inputs[0].folder, inputs[1].folder
    for folder, end in ((donor, 3), (other, 5)):
        config = json.loads((folder / "config.json").read_text())
        write_json(folder / "config.json", {**config, "eos_token_id": end, "bos_token_id": end + 1})
        write_json(folder / "generation_config.json", {"eos_token_id": [end], "temperature": end / 10})
        write_json(folder / "tokenizer_config.json", {"eos_token": folder.name, "chat_template": folder.name})
    (donor / "vocab.json").write_text("{}")
    (donor / "additional_chat_templates").mkdir()
    (donor / "additional_chat_templates" / "tools.jinja").write_text("x")
    (other / "additional_chat_templates").mkdir()
    (other / "additional_chat_templates" / "rag.jinja").write_text("y")
    inputs = [full_model(model.name, open_checkpoint(model.folder)) for model in inputs]
    merged(tmp_path / "child", recipe(Vocabulary(tokenizer=1)), inputs)
    child = tmp_path / "child"
    config, generation = (json.loads((child / name).read_text()) for name in ("config.json", "generation_config.json"))
    assert (config["eos_token_id"], config["bos_token_id"]) == (5, 6)
    assert generation == {"eos_token_id": [5], "temperature": 0.3}
    for name in ("tokenizer.json", "tokenizer_config.json", "additional_chat_templates/rag.jinja"):
        assert (child / name).read_bytes() == (other / name).read_bytes()
    assert not (child / "vocab.json").exists()
    assert not (child / "additional_chat_templates" / "tools.jinja").exists()


def test_tokens_are_added_as_their_own_tokenizer_adds_them(tmp_path: Path) -> None:
    inputs = models(tmp_path)
    folder = inputs[1].folder
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [{"id": 200, "content": "v0", "special": True, "lstrip": True}]
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(inputs[0].folder / "tokenizer_config.json", {"added_tokens_decoder": {"0": {"content": "w0"}}})
    write_json(inputs[0].folder / "added_tokens.json", {"w0": 0})
    merged(tmp_path / "child", recipe(Vocabulary(tokenizer=0, union=True)), inputs)
    child = tmp_path / "child"
    entries = json.loads((child / "tokenizer.json").read_text())["added_tokens"]
    plain = {"single_word": False, "rstrip": False, "normalized": True}
    assert entries[0] == {"id": 300, "content": "v0", "special": True, "lstrip": True, **plain}
    assert entries[1] == {"id": 301, "content": "v1", "special": False, "lstrip": False, **plain}
    decoder = json.loads((child / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    assert decoder["300"]["content"] == "v0"
    assert decoder["0"] == {"content": "w0"}
    assert json.loads((child / "added_tokens.json").read_text())["v59"] == 359


def test_a_recipe_s_options_come_back_from_its_record() -> None:
    rules = {"a": TokenRow(model=1, force=True), "b": TokenRow()}
    made = recipe(Vocabulary(tokenizer=1, union=True, base=0, tokens=rules, multiple=8))
    assert MergeRecipe.from_options(json.loads(json.dumps(made.options()))) == made
    bare = MergeRecipe(method="linear", parts=made.parts)
    assert not {"vocabulary", "chat_template"} & bare.options().keys()
