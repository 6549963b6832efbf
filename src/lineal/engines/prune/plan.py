"""A pruning before a weight is read: the linear layers inside the blocks are pruned, all else stays as it is."""

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.names.roles import linear_layers
from lineal.checkpoint.written.layout import Planned
from lineal.engines.merge.child_package import own_package, own_rules
from lineal.engines.parents.kept import kept
from lineal.engines.parents.layouts import BY_PUBLISHED_TENSORS, in_layouts
from lineal.engines.parents.model import Model
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.methods.streaming import StreamingMethod
from lineal.shown import quoted

_PRUNABLE = FLOATS - {"F64"}
"""Where a weight that is kept keeps its bits: float32 holds all values of these."""


def plan_pruning(method: StreamingMethod, model: Model) -> StreamPlan:
    """Every tensor keeps its dtype and shape; where an adapter's update lands, it is added before anything else.

    What is stored as codes or in blocks is decoded first, and stored as the floats that a merge would make of it.
    """
    method.check(1, has_base=False)
    shapes = {name: source.spec.shape for name, source in model.sources.items()}
    pruned = linear_layers(shapes, model.config.get("model_type"), model.name)
    for name in pruned:
        dtype = model.sources[name].dtype
        if dtype not in _PRUNABLE:
            known = ", ".join(sorted(_PRUNABLE))
            raise CheckpointError(
                f"{model.name}: {quoted(name)} is {dtype}, which cannot be pruned as it is (known: {known})"
            )
    jobs = tuple(_job(method if name in pruned else None, model, name) for name in model)
    rules = max(own_rules(model), BY_PUBLISHED_TENSORS if model.layouts else 1)
    tasks = in_layouts(jobs, model.layouts, model)
    return StreamPlan(tasks, own_package(model, model.config).child(), model.remarks, rules)


def _job(method: StreamingMethod | None, model: Model, name: str) -> Job:
    source = model.sources[name]
    if method is None:
        return kept(name, source)
    return Job(Planned(name, source.dtype, source.shape), (source,), method=method)
