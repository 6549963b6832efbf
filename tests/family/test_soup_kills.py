"""kill -9 in the middle of a greedy soup: the same command finishes with the same bytes."""

from pathlib import Path
from typing import TypeAlias

import pytest

from tests.family.conftest import write_family
from tests.family.killing import KILL, finish, run_and_kill, seconds_of, weights
from tests.family.pantry import SOUP, fill_pantry

Cooked: TypeAlias = tuple[dict[str, bytes], float]
"""The weights that an undisturbed run of the command line makes, and the seconds it takes."""


@pytest.fixture(scope="module")
def cooked(tmp_path_factory: pytest.TempPathFactory) -> Cooked:
    folder = fill_pantry(tmp_path_factory.mktemp("cooked"))
    write_family(folder, SOUP)
    seconds = seconds_of(folder, "run")
    return weights(folder), seconds


def check_kill(folder: Path, cooked: Cooked, after: float) -> None:
    fill_pantry(folder)
    write_family(folder, SOUP)
    assert run_and_kill(folder, after * cooked[1], "run") in (0, -KILL)
    code, _, told = finish(folder, "run")
    assert code == 0, told
    assert weights(folder) == cooked[0]
    assert {path.name for path in (folder / "models").iterdir()} == {"soup", ".locks"}


@pytest.mark.parametrize("after", [0.75, 0.95])
def test_a_soup_killed_at_any_moment_is_continued(tmp_path: Path, cooked: Cooked, after: float) -> None:
    check_kill(tmp_path, cooked, after)


@pytest.mark.storm(50)
def test_fifty_soups_killed(tmp_path: Path, cooked: Cooked, seed: int) -> None:
    check_kill(tmp_path, cooked, (seed + 1) / 50)
