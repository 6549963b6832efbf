"""The demo that `make demo` runs: one file describes a family of models, three commands make, check and draw it."""

import json
import sys
import time
from pathlib import Path

from examples.commands import INTERRUPTED, Commands
from examples.demo import gather

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
FAMILY = "demo"
LINEAL = Commands(HERE, BUILD / ".lineal" / "registry.db")


def main() -> None:
    began = time.monotonic()
    print("gathering text from this Python's own library")
    gather.main(BUILD)
    LINEAL.show("run family.yaml --out build/models")
    LINEAL.show(f"verify --family {FAMILY}")
    LINEAL.show(f"log --family {FAMILY} --svg build/family.svg --force")
    check()
    print(f"\nThe picture is in {(BUILD / 'family.svg').relative_to(HERE.parents[1])}.")
    print(f"All of it took {time.monotonic() - began:.0f} s.")


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
    models = json.loads(LINEAL.ask(f"log --family {FAMILY} --json").answer)["models"]
    return {model["label"]: {e["text"]: e["perplexity"] for e in model["evaluations"]} for model in models}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo` continues where it was", file=sys.stderr)
        sys.exit(INTERRUPTED)
