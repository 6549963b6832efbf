"""The layout of a child: that of its first model, or another that is known of its architecture."""

from collections.abc import Sequence
from dataclasses import replace

from lineal.checkpoint.layouts.known import Layout, layouts_of
from lineal.checkpoint.layouts.storing import stored_as
from lineal.checkpoint.written.layout import Planned
from lineal.engines.parents.model import Model
from lineal.engines.stream.compound import Compound, Task
from lineal.engines.stream.jobs import Job
from lineal.errors import CheckpointError
from lineal.methods.recipe.recipe import PUBLISHED
from lineal.shown import quoted

BY_PUBLISHED_TENSORS = 3
"""The rules of a child in another layout for want of a wish, where earlier lineals took what is stored in one tensor
for one tensor."""


def layouts_of_child(inputs: Sequence[Model], asked: str | int | None) -> tuple[Layout, ...]:
    """Those that the child is stored in; none is the published one.

    asked: the published layout, the name of another, or the place of the input whose layout it is; None: the first's.
    """
    if not isinstance(asked, str):
        return inputs[asked or 0].layouts
    if asked == PUBLISHED:
        return ()
    first = inputs[0]
    known = layouts_of(first.config)
    found = [layout for layout in known or () if layout.name == asked]
    if not found:
        kind = quoted(str(first.config.get("model_type")))
        named = " or ".join([PUBLISHED, *(layout.name for layout in known or ())])
        raise CheckpointError(
            f"{first.name}: no layout {quoted(asked)} is known of model_type {kind}"
            + ("" if known is None else f"; it can be stored as {named}")
        )
    return tuple(found)


def layout_remarks(inputs: Sequence[Model]) -> list[str]:
    """Where models lie in several layouts: which of them are read otherwise than they are stored."""
    if len({model.layouts for model in inputs}) == 1:
        return []
    others = dict.fromkeys(model.name for model in inputs if model.layouts)
    return [f"{name} is stored in another layout, and is read as it is published" for name in others]


def in_layouts(jobs: Sequence[Job], layouts: Sequence[Layout], child: Model) -> tuple[Task, ...]:
    """The tasks that store what the jobs make in these layouts. child: has its config, and a name for errors."""
    if not layouts:
        return tuple(jobs)
    made = {job.planned.name: job for job in jobs}
    tasks: list[Task] = []
    for stored in stored_as([job.planned for job in jobs], layouts, child.config, child.name):
        parts = tuple(made[name] for name in stored.parts)
        if stored.parts == (stored.name,) and stored.turn is None:
            tasks += parts
            continue
        if stored.turn is not None:
            parts = tuple(replace(part, unit=stored.turn.unit) for part in parts)
        tasks.append(Compound(Planned(stored.name, stored.dtype, stored.shape), parts, stored.turn))
    return tuple(tasks)
