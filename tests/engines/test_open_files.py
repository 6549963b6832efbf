"""Of many files only some are open at once, and whoever reads from one keeps it open."""

import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lineal.engines.stream import open_files
from lineal.engines.stream.open_files import OpenFiles
from lineal.methods.merge.linear import Linear
from tests.builders import random_tensors, same_bits
from tests.engines.merges import merge


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = [tmp_path / str(number) for number in range(9)]
    for number, path in enumerate(found):
        path.write_bytes(bytes([number]) * 5000)
    return found


def test_no_more_files_are_open_than_asked_for(files: list[Path]) -> None:
    before = descriptors()
    buffer = memoryview(bytearray(10))
    with OpenFiles(most=3) as shared:
        for _ in range(2):
            for number, path in enumerate(files):
                shared.read(path, buffer, 7)
                assert bytes(buffer) == bytes([number]) * 10
                assert descriptors() <= before + 3
    assert descriptors() == before


@pytest.mark.parametrize(
    ("limit", "most"), [(resource.RLIM_INFINITY, 512), (1024, 512), (256, 128), (3, 1), (1, 1), (10**6, 512)]
)
def test_half_of_what_the_system_allows_is_kept_open(monkeypatch: pytest.MonkeyPatch, limit: int, most: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert OpenFiles()._most == most


def test_threads_that_share_few_descriptors_read_what_they_asked_for(files: list[Path]) -> None:
    wrong: list[int] = []
    begin = threading.Barrier(8)

    def read(seed: int) -> None:
        order = np.random.default_rng(seed).integers(0, len(files), 400)
        buffer = memoryview(bytearray(100))
        _ = begin.wait()
        for number in order.tolist():
            shared.read(files[number], buffer, 3)
            if bytes(buffer) != bytes([number]) * 100:
                wrong.append(number)

    with OpenFiles(most=2) as shared, ThreadPoolExecutor(8) as pool:
        _ = list(pool.map(read, range(8)))
    assert not wrong


def test_a_merge_of_more_parents_than_files_may_be_open_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [random_tensors(seed, {"a.weight": (40, 300), "b.weight": (7,)}) for seed in range(12)]
    first = merge(tmp_path / "first", Linear(), models, None)
    monkeypatch.setattr(open_files, "_MOST", 2)
    second = merge(tmp_path / "second", Linear(), models, None)
    assert first.keys() == second.keys()
    assert all(same_bits(first[name], second[name]) for name in first)
