"""A folder with a model in it: what opens, and what is refused before a weight is read."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.checkpoint.reader import open_checkpoint, read_json
from lineal.errors import CheckpointError
from tests.builders import Array, make_adapter, make_checkpoint, random_tensors, write_json, write_safetensors

SHAPES = {"a": (3, 5), "b": (4,), "c": (), "d": (0, 2)}
INDEX = "model.safetensors.index.json"


@pytest.fixture
def tensors() -> dict[str, Array]:
    return random_tensors(1, SHAPES)


def refuse(folder: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        open_checkpoint(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_a_folder_is_a_mapping_from_names_to_tensors(tmp_path: Path, tensors: dict[str, Array], shards: int) -> None:
    checkpoint = open_checkpoint(make_checkpoint(tmp_path, tensors, shards=shards))
    assert checkpoint.form == "full"
    assert len(checkpoint.weight_files) == shards
    assert set(checkpoint) == set(tensors)
    assert all(checkpoint.read(name) == tensors[name].tobytes() for name in checkpoint)
    assert (parameters_of(checkpoint), checkpoint.tensor_bytes) == (15 + 4 + 1, 80)
    assert checkpoint.config["model_type"] == "llama"


def test_an_adapter_opens_as_an_adapter(tmp_path: Path) -> None:
    folder = make_adapter(tmp_path, {"layers.0.up": (np.ones((2, 3), "f4"), np.ones((4, 2), "f4"))})
    checkpoint = open_checkpoint(folder)
    assert (checkpoint.form, checkpoint.weight_files) == ("adapter", ("adapter_model.safetensors",))
    assert checkpoint.config["peft_type"] == "LORA"


def test_a_single_file_beside_an_index_is_the_model_as_in_transformers(
    tmp_path: Path, tensors: dict[str, Array]
) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    write_safetensors(tmp_path / "model.safetensors", {"only": np.zeros(1)})
    assert list(open_checkpoint(tmp_path)) == ["only"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path / "nowhere", "no such folder")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    refuse(tmp_path / "model.safetensors", "not a folder or GGUF")


def test_an_empty_folder_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    refuse(tmp_path, r"no model\.safetensors, model\.safetensors\.index\.json, adapter_model\.safetensors or GGUF file")


class Bomb:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "adapter_model.bin", "m.pt"])
def test_pickled_weights_are_refused_and_never_loaded(tmp_path: Path, name: str) -> None:
    trace = tmp_path / "unpickled"
    buffer = io.BytesIO()
    pickle.dump(Bomb(trace), buffer)
    (tmp_path / name).write_bytes(buffer.getvalue())
    refuse(tmp_path, f"only pickled weights .{name}.; unpickling runs code: convert to safetensors")
    assert not trace.exists()


def test_a_damaged_file_is_named(tmp_path: Path, tensors: dict[str, Array]) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    refuse(tmp_path, "model-00002-of-00002.safetensors: truncated")


def change_index(folder: Path, **entries: Any) -> None:
    index = json.loads((folder / INDEX).read_text())
    write_json(folder / INDEX, {**index, "weight_map": {**index["weight_map"], **entries}})


def test_an_index_that_names_a_missing_shard_is_refused(tmp_path: Path, tensors: dict[str, Array]) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    refuse(tmp_path, f"{INDEX}: names the shard 'model-00002-of-00002.safetensors', which is missing")


OUTSIDE = [
    "../x.safetensors",
    "/etc/x.safetensors",
    "sub/x.safetensors",
    "./x.safetensors",
    "..\\x.safetensors",
    "C:\\x.safetensors",
    "..",
    "",
    "config.json",
    "x.safetensors\n",
    "x" * 250 + ".safetensors",
    "ü" * 130 + ".safetensors",
    None,
    5,
    ["a.safetensors"],
    {"a": 1},
]


@pytest.mark.parametrize("shard", OUTSIDE)
def test_an_index_may_only_name_safetensors_files_of_its_folder(
    tmp_path: Path, tensors: dict[str, Array], shard: Any
) -> None:
    write_safetensors(tmp_path / "x.safetensors", {"a": tensors["a"]})
    folder = make_checkpoint(tmp_path / "model", tensors, shards=2)
    change_index(folder, a=shard)
    refuse(folder, "is not the name of a safetensors file in this folder")


@pytest.mark.parametrize("shard", ["a\x00.safetensors", "\ud800.safetensors"])
def test_names_that_no_file_has_are_refused(tmp_path: Path, tensors: dict[str, Array], shard: str) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    change_index(tmp_path, a=shard)
    with pytest.raises(CheckpointError, match=r"which is missing|which the index places in|half a surrogate pair"):
        open_checkpoint(tmp_path)


def test_a_tensor_in_another_shard_than_the_index_says_is_refused(tmp_path: Path, tensors: dict[str, Array]) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    change_index(tmp_path, a="model-00002-of-00002.safetensors")
    refuse(tmp_path, "00001-of-00002.safetensors: holds 'a', which the index places in 'model-00002-of-00002")


def test_a_tensor_that_the_index_does_not_know_is_refused(tmp_path: Path, tensors: dict[str, Array]) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    write_safetensors(
        tmp_path / "model-00001-of-00002.safetensors", {"a": tensors["a"], "c": tensors["c"], "z": tensors["b"]}
    )
    refuse(tmp_path, "holds 'z', which the index places in None")


def test_a_tensor_that_no_shard_holds_is_refused(tmp_path: Path, tensors: dict[str, Array]) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    change_index(tmp_path, z="model-00001-of-00002.safetensors")
    refuse(tmp_path, "places 'z' in model-00001-of-00002.safetensors, which does not hold it")


def test_an_index_that_places_a_tensor_twice_is_refused(tmp_path: Path, tensors: dict[str, Array]) -> None:
    make_checkpoint(tmp_path, tensors, shards=2)
    text, name = (tmp_path / INDEX).read_text(), min(tensors)
    again = f'"{name}": "model-00001-of-00002.safetensors", "{name}"'
    (tmp_path / INDEX).write_text(text.replace(f'"{name}"', again))
    refuse(tmp_path, f"{INDEX}: '{name}' stands in it twice")


@pytest.mark.parametrize("index", [[], {}, {"weight_map": None}, {"weight_map": {}}, {"weight_map": ["a"]}])
def test_an_index_without_a_weight_map_is_refused(tmp_path: Path, index: Any) -> None:
    write_json(tmp_path / INDEX, index)
    refuse(tmp_path, "no weight_map|not a JSON object")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"[1]"])
def test_a_config_that_is_no_json_object_is_refused(tmp_path: Path, tensors: dict[str, Array], content: bytes) -> None:
    make_checkpoint(tmp_path, tensors)
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not JSON|not a JSON object"):
        _ = open_checkpoint(tmp_path).config


def test_a_config_without_end_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(CheckpointError, match="larger than"):
        read_json(tmp_path / "config.json")


def test_a_missing_config_is_refused_when_it_is_asked_for(tmp_path: Path, tensors: dict[str, Array]) -> None:
    (make_checkpoint(tmp_path, tensors) / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json: no such file"):
        _ = open_checkpoint(tmp_path).config


def test_a_file_that_shrinks_after_it_was_opened_is_an_error(tmp_path: Path, tensors: dict[str, Array]) -> None:
    checkpoint = open_checkpoint(make_checkpoint(tmp_path, tensors))
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.truncate(checkpoint["a"].offset + 3)
    with pytest.raises(CheckpointError, match="changed while it was read"):
        checkpoint.read("a")


@pytest.mark.parametrize("shards", [1, 2])
def test_full_weights_with_an_adapter_beside_them_are_refused(tmp_path: Path, shards: int) -> None:
    make_checkpoint(tmp_path, {"a": np.ones(3), "b": np.ones(3)}, shards=shards)
    file = "model.safetensors" if shards == 1 else "model.safetensors.index.json"
    write_json(tmp_path / "adapter_config.json", {"peft_type": "LORA"})
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds full weights ({file}) and an adapter (adapter_config.json), which transformers would put "
        "on top of them: move the adapter's files into a folder of their own, or delete them if the weights hold it"
    )
