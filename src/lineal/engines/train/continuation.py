"""How a killed training continues: checkpoints by the clock, marked once they are whole, bound to one training."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, final

from transformers import TrainerCallback, TrainingArguments

from lineal.derivation.canonical import Json
from lineal.errors import StorageError

KEPT_CHECKPOINTS = 2
"""The one being written may be cut short by a kill; the one before it is whole."""

_COMPLETE = "complete"
_KEY = "training.json"


@final
class Continuation(TrainerCallback):
    """Saves every so many seconds, and marks a checkpoint as complete once all of it is written."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._saved = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        control.should_save = time.monotonic() - self._saved >= self._seconds

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        (Path(cast(str, args.output_dir)) / f"checkpoint-{state.global_step}" / _COMPLETE).touch()
        self._saved = time.monotonic()


def latest_checkpoint(scratch: Path) -> str | None:
    """The newest complete checkpoint; what a kill cut short is removed."""
    found = sorted(scratch.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
    complete = [folder for folder in found if (folder / _COMPLETE).is_file()]
    for folder in found:
        if folder not in complete:
            shutil.rmtree(folder)
    return str(complete[-1]) if complete else None


def claim(scratch: Path, key: Mapping[str, Json]) -> None:
    """Bind the folder to one training; the checkpoints of another are refused."""
    scratch.mkdir(parents=True, exist_ok=True)
    written = scratch / _KEY
    wanted = json.dumps(key, indent=2, sort_keys=True) + "\n"
    if written.exists() and written.read_text() != wanted:
        raise StorageError(f"{scratch}: holds checkpoints of another training; delete the folder to start afresh")
    beside = scratch / f"{_KEY}.new"
    beside.write_text(wanted)
    beside.replace(written)  # a kill leaves the whole file or none
