"""All of one tensor at once, for what holds whole tensors anyway."""

import math
import threading
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.reading import Reading, Rules
from lineal.engines.stream.source import Source

Float32: TypeAlias = NDArray[np.float32]


def whole(source: Source, files: OpenFiles) -> Float32:
    """Its values as full weights, in its shape. Raises CheckpointError, which names the tensor, where it has none."""
    reading = Reading(files, Rules(threading.Event(), allow_nonfinite=True))
    reading.load_beside(source)
    return reading.stretch(source, 0, math.prod(source.shape)).reshape(source.shape)
