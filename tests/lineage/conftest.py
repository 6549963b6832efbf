"""A registry of their own for tests that need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.lineage.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry.db") as opened:
        yield opened
