"""Originals from the hub: from its cache at one commit, without the network."""

from pathlib import Path

import numpy as np
import pytest

from lineal.errors import StorageError
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Session
from tests.builders import make_checkpoint, random_tensors
from tests.family.conftest import SHAPES, write_family

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FAMILY = f"""
family: tuned
models:
  theirs: {{original: {{hub: some-org/some-model, revision: {COMMIT}}}}}
  own: {{original: {{path: ./own}}}}
  mean: {{merge: {{parents: [theirs, own], method: linear}}}}
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    make_checkpoint(tmp_path / "own", random_tensors(1, SHAPES, np.float32))
    return tmp_path / "hub" / "models--some-org--some-model" / "snapshots" / COMMIT


def test_a_model_of_the_hub_is_taken_from_its_cache_and_named_in_the_card(
    session: Session, tmp_path: Path, cache: Path
) -> None:
    make_checkpoint(cache, random_tensors(0, SHAPES, np.float32))
    family = read_family(write_family(tmp_path, FAMILY))
    built = run_family(session, family, tmp_path / "models")
    assert built["theirs"].folder == cache
    card = (built["mean"].folder / "README.md").read_text()
    assert "base_model: some-org/some-model\nbase_model_relation: merge\n" in card


def test_what_is_not_in_the_cache_is_one_clear_line_when_offline(session: Session, tmp_path: Path, cache: Path) -> None:
    family = read_family(write_family(tmp_path, FAMILY))
    with pytest.raises(StorageError, match="some-org/some-model@0123456789ab: not to be had from the hub or its cache"):
        run_family(session, family, tmp_path / "models")
