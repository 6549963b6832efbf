"""The demo that `make demo` runs: one file describes a family of models, three commands make, check and draw it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import gather

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
FAMILY = "demo"


def main() -> None:
    began = time.monotonic()
    print("gathering text from this Python's own library")
    gather.main(BUILD)
    lineal("run", "family.yaml", "--out", "build/models")
    lineal("verify", "--family", FAMILY)
    lineal("log", "--family", FAMILY, "--svg", "build/family.svg")
    check()
    print(f"\nThe picture is in {(BUILD / 'family.svg').relative_to(HERE.parents[1])}.")
    print(f"All of it took {time.monotonic() - began:.0f} s.")


def lineal(*words: str) -> None:
    """Run a command as a user would, with a registry of the demo's own."""
    print(f"\n$ lineal {' '.join(words)}", flush=True)
    subprocess.run(_command(*words), cwd=HERE, env=_environment(), check=True)


def check() -> None:
    """The numbers must make sense: better where something was learnt, hardly worse where something was left out."""
    scores = perplexities()
    base, both, small, untaught = (scores[name] for name in ("base", "both", "small", "untaught"))
    assert scores["code"]["code"] < base["code"], "the code fine-tune should predict code better than its base"
    assert scores["prose"]["prose"] < 0.95 * base["prose"], "the prose fine-tune should be at least 5 % better on prose"
    assert all(both[text] < base[text] for text in base), "the merge should be better than the base on both texts"
    assert all(small[text] < untaught[text] for text in base), "the student should be better for its teachers"
    assert all(scores["lean"][text] < 1.2 * both[text] for text in base), "pruning 30 % should cost less than 20 %"
    assert all(scores["q8"][text] < 1.01 * both[text] for text in base), "8 bits should cost less than 1 %"


def perplexities() -> dict[str, dict[str, float]]:
    """Model -> text -> perplexity, as the registry has them."""
    command = _command("log", "--family", FAMILY, "--json")
    told = subprocess.run(command, cwd=HERE, env=_environment(), check=True, stdout=subprocess.PIPE, text=True)
    models = json.loads(told.stdout)["models"]
    return {model["label"]: {e["text"]: e["perplexity"] for e in model["evaluations"]} for model in models}


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "lineal", *words]


def _environment() -> dict[str, str]:
    return {**os.environ, "LINEAL_REGISTRY": str(BUILD / ".lineal" / "registry.db")}


if __name__ == "__main__":
    main()
