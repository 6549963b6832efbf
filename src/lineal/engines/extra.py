"""What the optional installation brings, asked for before anything is imported from it."""

import gc
import os
from importlib.util import find_spec

from lineal.errors import MissingExtra

_TRAINING_PACKAGES = ("torch", "transformers", "accelerate", "peft", "tokenizers")


def require_training(what: str) -> None:
    """Refuse `what` ("fine-tuning", say) where the extra `train` is not installed; called before importing torch."""
    gc.enable()  # the command line switched it off; torch's cycles hold tensors
    # OpenMP reads this once, when torch is loaded. Threads that spin while they wait for each other cost nothing on an
    # idle machine; beside other work they made a training on two cores 6 times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if any(find_spec(package) is None for package in _TRAINING_PACKAGES):
        raise MissingExtra(what, "train")
