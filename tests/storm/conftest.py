"""One household for all storms of a worker."""

from pathlib import Path

import pytest

from tests.storm.house import at_home, build


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house as it should be, beside the place `house` where it was built and where commands find it."""
    root = tmp_path_factory.mktemp("storm")
    (root / "house").mkdir()
    with at_home(root / "house"):
        build(root / "house", root / "outside" / "secret.json")
    (root / "house").rename(root / "template")
    return root / "template"
