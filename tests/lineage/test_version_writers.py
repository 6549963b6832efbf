"""Many processes tag and promote at once."""

import subprocess

from lineal.lineage.records.records import Name
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.registry import Registry
from tests.lineage.families import model
from tests.lineage.test_writers import WRITERS, check_intact, program

ONE, TWO = SemanticVersion(1, 0, 0), SemanticVersion(2, 0, 0)

TAG_MANY = """
import sys
from lineal.lineage.registry import Registry
from lineal.lineage.records.semantic_version import SemanticVersion
place, writer = sys.argv[1], int(sys.argv[2])
with Registry.open_existing(place) as registry:
    for i in range(20):
        said = f"w{writer}.{i}"
        registry.add_version("crowd:model", SemanticVersion(1, 0, 0), tags=(said,), metrics={said: float(i)})
        registry.add_version("crowd:model", SemanticVersion(2, writer, i))
"""


def test_eight_processes_tag_at_once_and_nothing_is_lost(place: str):
    with Registry.open(place) as registry:
        registry.set_name(Name("crowd", "model", registry.add_model(model("shared"))))
    running = [program(TAG_MANY, place, writer, stderr=subprocess.PIPE) for writer in range(WRITERS)]
    assert [process.communicate()[1] for process in running] == [""] * WRITERS
    assert [process.returncode for process in running] == [0] * WRITERS
    with Registry.open_existing(place) as registry:
        check_intact(registry)
        *others, crowded = registry.versions("model")
        said = {f"w{writer}.{i}": float(i) for writer in range(WRITERS) for i in range(20)}
        assert crowded.metrics == said
        assert crowded.tags == tuple(sorted(said))
        assert {str(v.version) for v in others} == {f"2.{writer}.{i}" for writer in range(WRITERS) for i in range(20)}


MOVE_ALL = """
import sys
from lineal.errors import UsageError
from lineal.lineage.stated.promotion import promote
from lineal.lineage.registry import Registry
from lineal.lineage.records.stages import Stage
with Registry.open_existing(sys.argv[1]) as registry:
    for minor in range(8):
        try:
            _ = promote(registry, f"model@1.{minor}.0", Stage.STAGING)
            print(minor)
        except UsageError as error:
            assert "is in staging" in str(error)
"""


def test_a_promotion_is_made_by_one_process_only(place: str):
    with Registry.open(place) as registry:
        registry.set_name(Name("crowd", "model", registry.add_model(model("shared"))))
        for minor in range(8):
            _ = registry.add_version("model", SemanticVersion(1, minor, 0))
    running = [program(MOVE_ALL, place, stdout=subprocess.PIPE) for _ in range(4)]
    moved = [int(line) for process in running for line in process.communicate()[0].split()]
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(moved) == list(range(8))
