"""Where the registry is looked for."""

from pathlib import Path

import pytest

from lineal.lineage.database.locate import locate


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_is_told_comes_first(tmp_path: Path):
    assert locate("there.db", {"LINEAL_REGISTRY": "elsewhere.db"}, tmp_path) == Path("there.db")


def test_then_the_environment_unless_it_is_empty(tmp_path: Path, home: Path):
    assert locate(None, {"LINEAL_REGISTRY": "elsewhere.db"}, tmp_path) == Path("elsewhere.db")
    assert locate(None, {"LINEAL_REGISTRY": ""}, tmp_path) == home / ".lineal" / "registry.db"


def test_then_the_nearest_folder_upward(tmp_path: Path):
    for folder in ("a", "a/b"):
        (tmp_path / folder / ".lineal").mkdir(parents=True)
        (tmp_path / folder / ".lineal" / "registry.db").touch()
    assert locate(None, {}, tmp_path / "a" / "b" / "c") == tmp_path / "a" / "b" / ".lineal" / "registry.db"
    assert locate(None, {}, tmp_path / "a" / "x") == tmp_path / "a" / ".lineal" / "registry.db"


def test_at_last_the_home_folder(tmp_path: Path, home: Path):
    assert locate(None, {}, tmp_path) == home / ".lineal" / "registry.db"


def test_a_tilde_is_the_home_folder_and_a_url_stays_one(home: Path):
    assert locate("~/r.db", {}) == home / "r.db"
    assert locate("postgresql://host/lineal", {}) == "postgresql://host/lineal"
