"""The weights of two known models, read where they lie and compared."""

from lineal.engines.compare.distances import Distance, comparable, distances
from lineal.family.build.weights import own_weights
from lineal.family.session import Session


def measure(session: Session, before: bytes, after: bytes) -> tuple[Distance, ...]:
    """How far apart they are, tensor by tensor; adapters are seen as full weights."""
    first, second = (own_weights(session.by_hash(model)) for model in (before, after))
    names = comparable(first, second)
    unread = sum(model.sources[name].spec.byte_length for model in (first, second) for name in names)
    with session.progress.task("comparing", unread, "bytes") as advance:
        return distances(first, second, threads=session.threads, bytes_done=advance)
