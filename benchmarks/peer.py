"""mergekit in an environment of its own, beside the project's."""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import final

VERSION = "0.1.5"
ENVIRONMENT = {"HF_HUB_OFFLINE": "1"}
"""Nothing here is on the hub, and a look there would count against it."""

_CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_FLAGS = ("--quiet", "--no-copy-tokenizer", "--async-write")
"""The fastest of what it offers without a GPU; the generated checkpoints have no tokenizer to look for."""


@final
@dataclass(frozen=True)
class Peer:
    """An installed mergekit."""

    folder: Path

    def merge(self, recipe: str, out: Path) -> list[str]:
        """The command that runs a recipe."""
        written = out.with_suffix(".yaml")
        written.write_text(recipe)
        return [str(self.folder / "bin" / "mergekit-yaml"), str(written), str(out), *_FLAGS]

    def versions(self, packages: tuple[str, ...]) -> dict[str, str]:
        """What is installed there."""
        program = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]), sep='\\n')"
        command = [self.folder / "bin" / "python", "-c", program, *packages]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return dict(zip(packages, found, strict=True))


def peer(work: Path) -> Peer:
    """The peer, installed unless it is there: torch first, from TORCH_INDEX where one is named."""
    folder = work / f"mergekit-{VERSION}"
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing mergekit {VERSION} in {folder}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        torch = next(line for line in _CONSTRAINTS.read_text().splitlines() if line.startswith("torch=="))
        index = os.environ.get("TORCH_INDEX")
        _install(folder, [*(["--index-url", index] if index else []), torch])
        _install(folder, ["--constraint", str(_CONSTRAINTS), f"mergekit=={VERSION}"])
        ready.touch()
    return Peer(folder)


def _install(folder: Path, words: list[str]) -> None:
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *words], check=True)
