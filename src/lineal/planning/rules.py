"""The figures that a paradigm goes by: rules of thumb, not measurements."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class RulesOfThumb:
    """What to expect before anything is known of the model.

    memory_multiplier: training memory over inference memory. training_speedup: over training from scratch.
    quality_retention: share of the quality of a model trained in full. batch_size_multiplier: over full training.
    """

    memory_multiplier: float
    training_speedup: float
    quality_retention: float
    batch_size_multiplier: float
