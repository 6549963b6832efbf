"""Tensors that a child has from its parent as they are."""

from lineal.checkpoint.written.layout import Planned
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.source import Source
from lineal.methods.merge.adapter import AdapterMerge


def kept(name: str, source: Source) -> Job:
    """Copied; where an adapter lands on it, or it is stored otherwise, as the full weights that it stands for."""
    is_stored = source.dtype == source.spec.dtype and source.update is None and not source.added
    return Job(Planned(name, source.dtype, source.shape), (source,), method=None if is_stored else AdapterMerge())
