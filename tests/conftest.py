"""What holds for every test: hypothesis draws the same examples everywhere; and registries in both databases."""

import random
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.databases import Database, Postgres, Sqlite, postgres_server

hypothesis.settings.register_profile("lineal", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("lineal")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="of tests marked storm all seeds, not a tenth of them")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`@pytest.mark.storm(200)` calls a test with 200 values of `seed`, or with a tenth of them, always the same."""
    storm = metafunc.definition.get_closest_marker("storm")
    if storm is not None:
        (count,) = storm.args
        seeds = range(count)
        if not metafunc.config.getoption("--whole"):
            seeds = sorted(random.Random(metafunc.definition.name).sample(seeds, -(-count // 10)))
        metafunc.parametrize("seed", seeds)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Both of them, one after the other."""
    return Sqlite() if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture
def location(database: Database, tmp_path: Path) -> Iterator[str]:
    """Where a registry of the test's own may begin: a path or a URL."""
    with database.empty(tmp_path) as place:
        yield place


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Iterator[str]:
    """Where the registry of the fixture of that name is."""
    with database.migrated(tmp_path) as place:
        yield place
