"""What each command loads: the core no torch, the lineage verbs not even numpy, help next to nothing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lineal
from tests.builders import make_checkpoint, random_tensors

SOURCE = str(Path(lineal.__file__).parents[1])
HEAVY = ("numba", "numpy", "peft", "torch", "transformers")


def loaded_by(folder: Path, *words: str) -> set[str]:
    """Which heavy packages a command has imported by the time it is done."""
    script = (
        "import sys\n"
        "from lineal.cli.entry import main\n"
        f"code = main({list(words)!r})\n"
        f"heavy = {{*{HEAVY!r}, 'sqlalchemy', 'pydantic', 'rich'}}\n"
        "print(code, *sorted(sys.modules.keys() & heavy), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": SOURCE, "LINEAL_REGISTRY": str(folder / "registry.db"), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    code, *found = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("imports")
    for seed, name in enumerate("ab"):
        make_checkpoint(place / name, random_tensors(seed, {"model.norm.weight": (8,)}, np.float32))
    (place / "b" / "README.md").write_text("---\nbase_model: org/a\n---\n")
    loaded_by(place, "merge", "./a", "./b", "--method", "linear", "--out", "mean")
    return place


def test_help_loads_nothing_heavy(folder: Path) -> None:
    assert loaded_by(folder, "--help") == set()


def test_a_merge_loads_no_torch(folder: Path) -> None:
    assert loaded_by(folder, "merge", "./a", "./b", "--method", "slerp", "--out", "arc").isdisjoint(
        {"torch", "transformers", "peft"}
    )


def test_verification_by_recomputation_loads_no_torch(folder: Path) -> None:
    assert loaded_by(folder, "verify", "./mean").isdisjoint({"torch", "transformers", "peft"})


@pytest.mark.parametrize(
    "words",
    [
        *[("log",), ("log", "--json"), ("log", "--svg", "tree.svg"), ("show", "./mean"), ("add", "./a")],
        *[("check",), ("import", "./b")],
    ],
)
def test_the_lineage_verbs_load_neither_numpy_nor_numba(folder: Path, words: tuple[str, ...]) -> None:
    assert loaded_by(folder, *words).isdisjoint(HEAVY)


def test_importing_lineal_loads_nothing_heavy_and_every_public_name_is_there() -> None:
    script = (
        "import sys, lineal\n"
        f"assert not sys.modules.keys() & set({HEAVY!r}), 'import lineal'\n"
        "assert all(getattr(lineal, name) for name in dir(lineal))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
