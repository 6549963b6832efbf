"""A registry of their own for tests that need one, in either database."""

from collections.abc import Iterator

import pytest

from lineal.lineage.registry import Registry


@pytest.fixture
def registry(place: str) -> Iterator[Registry]:
    with Registry.open(place) as opened:
        yield opened
