"""How many parameters a model has: the numbers of the weights that its tensors stand for, whatever stores them."""

from lineal.checkpoint.quantized.folder import is_quantized
from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError


def parameters_of(checkpoint: Checkpoint) -> int:
    """Numbers of all weights; of codes, the weights they are codes of, without scales and what else lies beside them.

    Codes in a format that is not read, and those whose shape is in bytes that are not here yet, count as stored.
    """
    try:
        if is_quantized(checkpoint):
            return _of_codes(checkpoint)
    except CheckpointError:
        pass
    return sum(spec.elements for spec in checkpoint.values())


def _of_codes(checkpoint: Checkpoint) -> int:
    from lineal.checkpoint.quantized.formats import quantized_weights  # noqa: PLC0415 - numpy, which others do without

    coded, beside = quantized_weights(checkpoint, str(checkpoint.path))
    stored_as = {one.spec.name for one in coded.values()} | beside
    others = sum(spec.elements for name, spec in checkpoint.items() if name not in stored_as)
    return others + sum(one.spec.elements for one in coded.values())
