"""A model folder is what lies in it: no link out, no linked folder, nothing that never ends."""

import os
import socket
from pathlib import Path

import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.inside import regular_files, resolved
from lineal.checkpoint.package import package_paths
from lineal.checkpoint.reader import open_checkpoint, read_json
from lineal.errors import CheckpointError
from tests.builders import make_checkpoint, random_tensors, write_json

NAMES = (
    "LICENSE",
    "README.md",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "helper.py",
    "lineal.json",
    "lineal.intoto.jsonl",
    "model.safetensors",
    "notes.txt",
    "tokenizer.json",
    "additional_chat_templates/tools.jinja",
    "1_Pooling/config.json",
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = make_checkpoint(tmp_path / "model", random_tensors(1, {"w": (4, 4)}))
    (folder / "additional_chat_templates").mkdir()
    (folder / "1_Pooling").mkdir()
    write_json(tmp_path / "outside.json", {"model_type": "secret"})
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_leaves_the_folder_is_refused(model: Path, name: str) -> None:
    path = model / name
    path.unlink(missing_ok=True)
    path.symlink_to(model.parent / "outside.json")
    with pytest.raises(CheckpointError, match=f"{path}: a link out of the model's folder, to .*outside.json"):
        open_checkpoint(model)


@pytest.mark.parametrize("name", NAMES)
def test_what_never_ends_is_refused_before_it_is_opened(model: Path, name: str) -> None:
    path = model / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(CheckpointError, match=f"{path}: a named pipe; a model folder holds files and folders alone"):
        open_checkpoint(model)
    with pytest.raises(CheckpointError, match="a named pipe, where a file is needed"):
        read_json(path)


def test_a_link_to_a_device_a_socket_and_a_linked_folder_are_refused(model: Path) -> None:
    (model / "tokenizer.json").symlink_to("/dev/null")
    with pytest.raises(CheckpointError, match="a link to a device, where a file is needed"):
        open_checkpoint(model)
    (model / "tokenizer.json").unlink()
    (model / "data").symlink_to(model.parent)
    with pytest.raises(CheckpointError, match="a link to a folder, where a file is needed"):
        open_checkpoint(model)
    (model / "data").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(model)  # the path of a socket may have 108 bytes
        try:
            server.bind("s")
        finally:
            os.chdir(before)
        with pytest.raises(CheckpointError, match="a socket"):
            open_checkpoint(model)


def test_links_that_lead_nowhere_or_to_each_other_are_refused(model: Path) -> None:
    (model / "tokenizer.json").symlink_to("nothing")
    with pytest.raises(CheckpointError, match="a link that leads nowhere"):
        open_checkpoint(model)
    (model / "tokenizer.json").unlink()
    (model / "tokenizer.json").symlink_to("tokenizer.json")
    with pytest.raises(CheckpointError, match="a link that leads nowhere"):
        open_checkpoint(model)


def test_a_link_within_the_folder_and_a_link_to_the_folder_are_read(model: Path) -> None:
    plain = hash_folder(model).manifest
    write_json(model / "real.json", {"a": 1})
    (model / "tokenizer.json").symlink_to("real.json")
    (model.parent / "latest").symlink_to(model)
    assert package_paths(model.parent / "latest") == ("config.json", "tokenizer.json")
    assert hash_folder(model.parent / "latest").manifest.weights_hash == plain.weights_hash


def in_cache(model: Path, name: str) -> Path:
    """The model as a Hub cache keeps it; its file `name` is a link to a blob."""
    snapshot = model.parent / "models--org--name" / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir()
    model.rename(snapshot)
    (snapshot / name).rename(blobs / "123")
    (snapshot / name).symlink_to(Path("../../blobs/123"))
    return snapshot


def test_a_snapshot_of_a_hub_cache_has_its_files_in_its_own_blobs(model: Path) -> None:
    plain = hash_folder(model).manifest
    snapshot = in_cache(model, "model.safetensors")
    assert hash_folder(snapshot).manifest == plain
    write_json(snapshot.parent.parent / "blobs" / "124", {})
    (snapshot / "1_Pooling" / "config.json").symlink_to(Path("../../../blobs/124"))
    assert len(regular_files(snapshot)) == 3


def test_a_blob_that_is_a_link_and_a_file_beside_the_blobs_are_refused(model: Path) -> None:
    snapshot = in_cache(model, "config.json")
    blobs = snapshot.parent.parent / "blobs"
    (snapshot / "tokenizer.json").symlink_to(Path("../../../outside.json"))
    with pytest.raises(CheckpointError, match="a link out of the model's folder"):
        open_checkpoint(snapshot)
    (snapshot / "tokenizer.json").unlink()
    (blobs / "125").symlink_to(snapshot.parents[2] / "outside.json")
    (snapshot / "tokenizer.json").symlink_to(Path("../../blobs/125"))
    with pytest.raises(CheckpointError, match="a link out of the model's folder"):
        open_checkpoint(snapshot)


@pytest.mark.parametrize("name", ["x\udcff.py", "additional_chat_templates/x\udcff.jinja"])
def test_a_file_whose_name_is_not_utf8_is_refused(tmp_path: Path, name: str) -> None:
    folder = make_checkpoint(tmp_path / "model", random_tensors(1, {"a": (2,)}))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(CheckpointError, match="its name is not UTF-8"):
        open_checkpoint(folder)


def test_a_folder_whose_path_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model\udcff", random_tensors(1, {"a": (2,)}))
    with pytest.raises(CheckpointError, match="its path is not UTF-8") as caught:
        open_checkpoint(folder)
    assert str(caught.value).isprintable()


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").symlink_to("x.gguf")
    with pytest.raises(CheckpointError, match=r"x\.gguf: its links lead in a circle"):
        resolved(tmp_path / "x.gguf")
    assert resolved(tmp_path) == tmp_path.resolve()
