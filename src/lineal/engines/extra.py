"""What the optional installation brings, asked for before anything is imported from it."""

from importlib.util import find_spec

from lineal.errors import MissingExtra

_TRAINING_PACKAGES = ("torch", "transformers", "accelerate", "peft", "tokenizers")


def require_training(what: str) -> None:
    """Refuse `what` ("fine-tuning", "evaluation") where the extra `train` is not installed."""
    if any(find_spec(package) is None for package in _TRAINING_PACKAGES):
        raise MissingExtra(what, "train")
