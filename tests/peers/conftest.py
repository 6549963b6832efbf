"""llama.cpp in an environment of its own, asked in a process of its own."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / "build" / "peers" / "bin" / "python"


@dataclass(frozen=True)
class LlamaCpp:
    """What llama.cpp does with a GGUF."""

    python: Path

    def answer(
        self, model: Path, texts: Sequence[str] = (), prompt: Sequence[int] = (0,), count: int = 0
    ) -> dict[str, Any]:
        """The ids of texts, the logits after each token of a prompt, and its continuation by so many tokens."""
        return json.loads(self._run("in_llama_cpp.py", model=f"{model}", texts=texts, prompt=prompt, count=count))

    def quantize(self, source: Path, target: Path, file_type: int) -> Path:
        self._run("quantize_in_llama_cpp.py", source=f"{source}", target=f"{target}", file_type=file_type)
        return target

    def quantize_all(self, jobs: Sequence[Mapping[str, Any]]) -> None:
        """Many files in one process, with all that its quantizer takes: see types_in_llama_cpp.py."""
        self._ask("types_in_llama_cpp.py", list(jobs))

    def measure(self, model: Path, chunks: Sequence[Sequence[int]], out: Path) -> Mapping[str, Any]:
        """What its matrices multiply, see imatrix_in_llama_cpp.py."""
        self._run("imatrix_in_llama_cpp.py", model=f"{model}", chunks=chunks, out=f"{out}")
        return np.load(out)

    def _run(self, script: str, **question: Any) -> str:
        return self._ask(script, question)

    def _ask(self, script: str, question: object) -> str:
        done = subprocess.run(
            [self.python, HERE / script], input=json.dumps(question), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def llama_cpp() -> LlamaCpp:
    if not PYTHON.exists():
        pytest.fail(f"no {PYTHON}: `make test-peers` builds it")
    return LlamaCpp(PYTHON)
