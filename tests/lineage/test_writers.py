"""Several writers, and writers that are killed: nothing is lost, nothing is torn."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineal.lineage.questions import ancestry
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.lineage.families import ROOT, digest, model

WRITERS = 8

WRITE_MANY = """
import sys
from pathlib import Path
from lineal.lineage.records.records import Name
from lineal.lineage.registry import Registry
from tests.lineage.families import digest, model, step
place, folder, writer = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
with Registry.open(place) as registry:
    for i in range(25):
        made = registry.add_model(model(f"{writer}.{i}"), folder / f"{writer}.{i}")
        registry.record(step(made, digest("shared base"), i=i, writer=writer))
        registry.set_name(Name("crowd", f"m{writer}.{i}", made))
"""

WRITE_ON = """
import itertools, sys
from pathlib import Path
from lineal.lineage.records.records import Name
from lineal.lineage.registry import Registry
from tests.lineage.families import digest, model, step
place, folder, run = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
print("ready", flush=True)
with Registry.open(place) as registry:
    for i in itertools.count():
        made = registry.add_model(model(f"{run}.{i}"), folder / f"{run}.{i}")
        registry.record(step(made, digest("shared base"), digest(f"{run}.{i}"), i=i))
        registry.set_name(Name("killed", f"m{run}.{i}", made))
        registry.add_models(model(f"{run}.{i}.{j}") for j in range(50))
        print(i, flush=True)
"""


def program(source: str, *arguments: object, **options: int) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", source, *map(str, arguments)], cwd=ROOT, text=True, **options)  # pyright: ignore[reportCallIssue]


def check_intact(registry: Registry) -> None:
    with registry.reading() as connection:
        assert list(connection.dialect.damage(connection)) == []


def test_eight_processes_write_at_once_and_nothing_is_lost(location: str, tmp_path: Path):
    running = [program(WRITE_MANY, location, tmp_path, writer, stderr=subprocess.PIPE) for writer in range(WRITERS)]
    complaints = [process.communicate()[1] for process in running]
    assert complaints == [""] * WRITERS
    assert [process.returncode for process in running] == [0] * WRITERS
    with Registry.open_existing(location) as registry:
        assert check(registry).faults == ()
        assert len(registry.names("crowd")) == 25 * WRITERS
        assert len(ancestry.children(registry, digest("shared base"))) == 25 * WRITERS
        for name in registry.names("crowd"):
            assert len(registry.locations(name.model_hash)) == len(registry.steps_of(name.model_hash)) == 1


def test_a_writer_killed_at_any_moment_loses_nothing_it_was_told_is_kept(location: str, tmp_path: Path):
    check_kills(location, tmp_path, range(10))


@pytest.mark.faults
def test_a_writer_killed_at_many_moments_loses_nothing_it_was_told_is_kept(location: str, tmp_path: Path):
    check_kills(location, tmp_path, range(10, 210))


def check_kills(place: str, folder: Path, seeds: range) -> None:
    """Each seed is a moment; all runs write to one registry, which begins with the first of them."""
    kept_calls = 0
    for seed in seeds:
        killed = program(WRITE_ON, place, folder, seed, stdout=subprocess.PIPE)
        assert killed.stdout is not None
        assert killed.stdout.readline() == "ready\n"
        first = killed.stdout.readline() if seed % 2 else ""  # else while it opens, or makes, the registry
        time.sleep(random.Random(seed).uniform(0, 0.25))
        killed.kill()
        told = [int(line) for line in (first + killed.communicate()[0]).split()]
        kept_calls += len(told)
        with Registry.open(place) as registry:
            check_intact(registry)
            for i in told:
                kept = registry.resolve(f"killed:m{seed}.{i}")
                assert registry.manifest(kept) == model(f"{seed}.{i}").manifest
                assert len(registry.steps_of(kept)) == len(registry.locations(kept)) == 1
                assert registry.knows(model(f"{seed}.{i}.49").manifest.model_hash)
            for first, last in ((f"{seed}.{i}.0", f"{seed}.{i}.49") for i in range(len(told) + 2)):
                both = {registry.knows(model(name).manifest.model_hash) for name in (first, last)}
                assert len(both) == 1, "half of one call was kept"
    with Registry.open_existing(place) as registry:
        assert check(registry).faults == ()
    assert kept_calls >= len(seeds) // 2, "the writers were killed before they wrote"
