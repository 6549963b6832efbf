"""What a maker hands back, and how streamed weights come to lie in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast, final

from lineal.checkpoint.content.identity import Leaf
from lineal.derivation.step import Kind
from lineal.engines.stream.engine import DataHashes
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.streams import write_stream
from lineal.family.session import Session
from lineal.lineage.records.rounding import Rounding
from lineal.methods.method import Method

DOING: Mapping[Kind, str] = {
    "original": "training",
    "fine-tune": "training",
    "distillation": "distilling",
    "merge": "merging",
    "quantize": "quantizing",
    "prune": "pruning",
}


@final
@dataclass(frozen=True)
class Made:
    """What a maker learnt on the way: data hashes of the child's tensors and of the inputs it read whole.

    method: as it is to be recorded; a budget in tokens has become epochs, too, and a greedy soup has its ingredients.
    rounding: of a quantization, what it cost each tensor.
    """

    method: Method
    leaves: Mapping[str, Leaf] = field(default_factory=dict[str, Leaf])
    inputs: DataHashes = field(default_factory=dict[str, dict[str, bytes]])
    rounding: Mapping[str, Rounding] = field(default_factory=dict[str, Rounding])


def make_streamed(
    session: Session, request: Request, scratch: Scratch, method: Method | None = None, plan: StreamPlan | None = None
) -> Made:
    """Fill the folder with what the engine computes; method, plan: where they are not those of the request."""
    method, plan, name = method or request.method, plan or cast(StreamPlan, request.plan), request.name.name
    for remark in plan.remarks:
        session.progress.say(f"{name}: {remark}")
    title = f"{DOING[method.kind]} {name}"
    if method.kind == "quantize":
        plan = plan.each(lambda job: replace(job, measured=True))
    written = write_stream(session, plan, scratch.child, scratch.key, title, allow_nonfinite=request.allow_nonfinite)
    return Made(method, written.leaves, written.read, written.rounding)
