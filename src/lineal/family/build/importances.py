"""An importance matrix measured on a text, into a file of its own; nothing of it is recorded."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from lineal.checkpoint.importance.files import write_importance
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.checkpoint.written.output_file import refuse_existing
from lineal.engines.extra import require_training
from lineal.errors import CheckpointError, UsageError
from lineal.family.build.weights import own_weights
from lineal.family.progress import StepProgress
from lineal.family.session import LocalModel, Session


@final
@dataclass(frozen=True)
class Chunks:
    """length: tokens a chunk; most: at most so many of them, None: all of the text."""

    length: int = 512
    most: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise UsageError(f"imatrix: chunks must be at least 1, got {self.most}")


def measure_importances(session: Session, local: LocalModel, text: Path, out: Path, chunks: Chunks) -> ImportanceMatrix:
    """Measure a model, an adapter on its base, and write llama.cpp's GGUF form of what was found."""
    require_training("an importance matrix")
    from lineal.engines.calibrate.calibration import tokenizer_place
    from lineal.engines.calibrate.importance_matrix import Measuring
    from lineal.engines.inference.language_model import load_tokenizer

    refuse_existing(out)
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder")
    model = own_weights(local)
    if not model.has_tokenizer:
        raise CheckpointError(f"{model.name}: no tokenizer lies there to read the text with")
    tokenizer = load_tokenizer(tokenizer_place(model))
    with StepProgress(session.progress, f"measuring {local.label}", "blocks") as progress:
        found = Measuring(
            model,
            tokenizer,
            out.parent,
            chunks.length,
            chunks.most,
            session.threads,
            session.progress.say,
            progress,
        ).matrix(text)
    write_importance(out, found)
    return found
