"""One evaluation in a process of its own, with whichever lineal is on PYTHONPATH: prints tokens and seconds as JSON.

The seconds are those of scoring; starting, loading and hashing are in neither side's.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from lineal.engines.inference import evaluate as engine


def main(model: Path, text: Path, reference: Path | None) -> None:
    score, seconds = engine._score, 0.0  # noqa: SLF001 - loading is not to be timed

    def timed(*given: Any) -> Any:
        nonlocal seconds
        began = time.perf_counter()
        found = score(*given)
        seconds += time.perf_counter() - began
        return found

    engine._score = timed  # noqa: SLF001
    scores = _scores(model, {"text": text}, reference)["text"]
    figures = {"perplexity": scores.perplexity, "bits_per_byte": scores.bits_per_byte, "kl": scores.kl}
    print(json.dumps({"tokens": scores.tokens, "seconds": seconds, **figures}))


def _scores(model: Path, texts: dict[str, Path], reference: Path | None) -> dict[str, Any]:
    """As evaluations are called now, and as they were called at the commit that is compared with."""
    if not hasattr(engine, "ModelFolder"):
        return engine.evaluate(model, texts, reference=reference)
    folder = engine.ModelFolder
    compared = None if reference is None else folder(reference)
    return dict(engine.evaluate(folder(model), texts, reference=compared))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
