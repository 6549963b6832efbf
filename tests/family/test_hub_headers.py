"""A plan of models on the hub takes their headers and no weights; a run begins with the same."""

import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lineal.checkpoint.content.hashing import hash_checkpoint
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import AnswerIsNo, CheckpointError, StorageError
from lineal.family.build.one_off import derive, family_of_recipe
from lineal.family.build.plan import PlannedModel, plan_family, require_room
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.hub.headers import read_headers
from lineal.family.hub.repository import commit_of
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from tests.builders import make_checkpoint, random_tensors
from tests.family.conftest import write_family
from tests.family.hub_server import Hub, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHAPES = {"model.embed_tokens.weight": (300, 256), "model.norm.weight": (256,)}
OTHER = {"model.embed_tokens.weight": (300, 256), "model.norm.weight": (255,)}
FAMILY = f"""
family: tuned
models:
  one: {{original: {{hub: org/one, revision: {COMMIT}}}}}
  two: {{original: {{hub: org/two, revision: {COMMIT}}}}}
  mean: {{merge: {{parents: [one, two], method: linear}}}}
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    root = tmp_path / "served"
    make_checkpoint(root / "org" / "one", random_tensors(0, SHAPES, np.float32))
    make_checkpoint(root / "org" / "two", random_tensors(1, SHAPES, np.float32), shards=2)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    with serving(Hub(root, COMMIT)) as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", served.url)
        yield served


def plan(session: Session, tmp_path: Path) -> dict[str, PlannedModel]:
    family = read_family(write_family(tmp_path, FAMILY))
    return {model.name: model for model in plan_family(session, family, tmp_path / "models")}


def header_bytes(file: Path) -> int:
    return 8 + struct.unpack("<Q", file.read_bytes()[:8])[0]


def test_a_plan_asks_for_headers_and_for_no_byte_of_weights(session: Session, tmp_path: Path, hub: Hub) -> None:
    planned = plan(session, tmp_path)
    assert planned["mean"].parameters == 300 * 256 + 256
    assert planned["mean"].bytes_read == 2 * 4 * (300 * 256 + 256)
    assert {name: model.status for name, model in planned.items()} == {
        "one": "to download",
        "two": "to download",
        "mean": "to build",
    }
    assert "unknown until downloaded" in planned["one"].note
    headers = sum(header_bytes(file) for file in hub.root.rglob("*.safetensors"))
    assert sum(one.sent for one in hub.of_weights()) == headers
    assert all(one.range for one in hub.of_weights())
    assert {one.token for one in hub.asked if "/org/" in one.path} == {"Bearer hf_of_a_test"}


def test_a_plan_leaves_no_model_no_name_and_no_stand_in(session: Session, tmp_path: Path, hub: Hub) -> None:
    plan(session, tmp_path)
    assert not session.registry.names()
    assert not [path for path in tmp_path.rglob("*.safetensors") if hub.root not in path.parents]


def test_a_run_finds_what_cannot_be_merged_before_it_downloads(session: Session, tmp_path: Path, hub: Hub) -> None:
    make_checkpoint(hub.root / "org" / "two", random_tensors(1, OTHER, np.float32), shards=2)
    family = read_family(write_family(tmp_path, FAMILY))
    with pytest.raises(CheckpointError, match=r"'model.norm.weight' is \[256\] in tuned:one, \[255\] in tuned:two"):
        run_family(session, family, tmp_path / "models")
    assert sum(one.sent for one in hub.asked) < 10_000


def test_what_the_cache_holds_is_planned_without_a_request(session: Session, tmp_path: Path, hub: Hub) -> None:
    run_family(session, read_family(write_family(tmp_path, FAMILY)), tmp_path / "models")
    hub.asked.clear()
    assert {model.status for model in plan(session, tmp_path).values()} == {"present"}
    assert not hub.asked


def test_a_stand_in_is_no_model(tmp_path: Path, hub: Hub) -> None:
    stand_in = read_headers("org/one", COMMIT, tmp_path / "headers")
    real = open_checkpoint(hub.root / "org" / "one")
    assert [(s.name, s.shape, s.offset) for s in stand_in.values()] == [
        (s.name, s.shape, s.offset) for s in real.values()
    ]
    for read in (
        lambda: open_checkpoint(stand_in.folder),
        lambda: hash_checkpoint(stand_in),
        lambda: stand_in.read("model.norm.weight"),
    ):
        with pytest.raises(CheckpointError, match="headers without weights; unknown until downloaded"):
            read()


@pytest.mark.parametrize("length", [2**63, 100_000_001, 400_000])
def test_a_header_longer_than_allowed_is_refused_unread(tmp_path: Path, hub: Hub, length: int) -> None:
    file = hub.root / "org" / "one" / "model.safetensors"
    file.write_bytes(length.to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(StorageError, match=f"org/one/model.safetensors: a header of {length} bytes in a file of"):
        read_headers("org/one", COMMIT, tmp_path / "headers")
    assert sum(one.sent for one in hub.of_weights()) == 8


def test_a_server_that_sends_whole_files_is_refused(tmp_path: Path, hub: Hub) -> None:
    hub.ranges = False
    with pytest.raises(StorageError, match=r"org/one/model\.safetensors: the server does not answer range requests"):
        read_headers("org/one", COMMIT, tmp_path / "headers")


def test_a_size_that_does_not_fit_the_header_is_refused(tmp_path: Path, hub: Hub) -> None:
    hub.sizes["model.safetensors"] = 1_000_000
    with pytest.raises(CheckpointError, match="bytes left over"):
        read_headers("org/one", COMMIT, tmp_path / "headers")


def test_a_plan_that_does_not_fit_answers_no(
    session: Session, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(session, tmp_path).values()
    require_room(planned, tmp_path / "models")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3 * 4 * 300 * 256))
    with pytest.raises(AnswerIsNo, match="does not fit: 924,672 bytes to write, 921,600 free"):
        require_room(planned, tmp_path / "models")


def test_a_recipe_names_repositories_as_mergekit_does(session: Session, tmp_path: Path, hub: Hub) -> None:
    recipe = tmp_path / "recipe.yml"
    recipe.write_text(f"merge_method: linear\nmodels: [{{model: org/one}}, {{model: org/two@{COMMIT}}}]\n")
    family = family_of_recipe(session, recipe, tmp_path / "out", allow_nonfinite=False)
    short = COMMIT[:7]
    assert list(family.models) == [f"org--one-{short}", f"org--two-{short}", "out"]
    assert {model.status for model in plan_family(session, family, tmp_path)} == {"to download", "to build"}
    assert not [one for one in hub.of_weights() if one.range is None]
    merged = derive(session, family, tmp_path / "out")
    assert "base_model:\n- org/one\n- org/two\n" in (merged.folder / "README.md").read_text()
    (verdict,) = verify_references(session, [str(merged.folder)])
    assert verdict.ok


def test_a_branch_is_asked_for_once_and_offline_is_what_it_was(
    session: Session, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with pytest.raises(StorageError, match="org/none@main: not to be had from the hub or its cache"):
        commit_of("org/none", None)
    assert commit_of("org/one", None) == commit_of("org/one", "main") == COMMIT
    refs = tmp_path / "cache" / "models--org--two" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(COMMIT)
    (refs.parent / "snapshots" / COMMIT).mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.asked)
    assert commit_of("org/two", None) == COMMIT
    with pytest.raises(StorageError, match="org/one@main: not to be had"):
        commit_of("org/one", None)
    assert len(hub.asked) == asked
