"""The weights of two known models, read where they lie and compared."""

from dataclasses import replace

from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.engines.compare.distances import Distance, comparable, distances
from lineal.engines.parents.model import Model, full_model
from lineal.family.build.streams import full_weights
from lineal.family.session import LocalModel, Session


def measure(session: Session, before: bytes, after: bytes) -> tuple[Distance, ...]:
    """How far apart they are, tensor by tensor; adapters are seen as full weights."""
    first, second = (full(session.by_hash(model)) for model in (before, after))
    names = comparable(first, second)
    unread = sum(model.sources[name].spec.byte_length for model in (first, second) for name in names)
    with session.progress.task("comparing", unread, "bytes") as advance:
        return distances(first, second, threads=session.threads, bytes_done=advance)


def full(local: LocalModel) -> Model:
    """A model as full weights, an adapter on its base; without what follows from a config."""
    base = local.base
    model = full_weights(local, None if base is None else full_model(base.label, base.checkpoint))
    kept = {name: source for name, source in model.sources.items() if not is_derived_buffer(name, source.shape)}
    return replace(model, sources=kept)
