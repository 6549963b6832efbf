"""What is to be built: a recipe with what it needs, the step that it will be, and what unfinished work is found by."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from blake3 import blake3

from lineal.checkpoint.content.hashing import hash_file
from lineal.checkpoint.package import content_hash, package_paths
from lineal.derivation.canonical import Json, canonical_json
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import DataFile, Input, Role, Step
from lineal.engines.merge.child_package import own_rules
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.distance import full
from lineal.family.build.training_rules import training_rules
from lineal.family.file.recipe import ModelRecipe, Origin
from lineal.family.session import Inputs, Placed, Workshop
from lineal.lineage.records.licences import UNKNOWN
from lineal.lineage.records.records import Name
from lineal.methods.distill import Distill
from lineal.methods.finetune import FullFineTune, Training
from lineal.methods.method import Method


@final
@dataclass(frozen=True)
class Order:
    """A recipe and what it needs: inputs in the step's order, hub origins by input label; licence: of them all.

    plan: of a streamed derivation, before a greedy soup is picked; rules: that the step is made under.
    """

    name: Name
    recipe: ModelRecipe
    method: Method
    inputs: Inputs
    target: Path
    hub_origins: Mapping[str, Origin]
    rules: int = 1
    licence: str = UNKNOWN
    plan: StreamPlan | None = None


def rules_of(method: Method, inputs: Inputs, data: Sequence[Path] = ()) -> int:
    """The rules for a training: higher ones only where a case applies that earlier lineals did in another way.

    A child made under lower rules is then another derivation: neither taken for this one nor held against it.
    """
    if not isinstance(method, Training):
        return 1
    parents = [placed for role, placed in inputs if role != "teacher"]
    written = [own_rules(full(placed)) for placed in parents if isinstance(method, FullFineTune | Distill)]
    return max(training_rules(method, inputs, data), *written, 1)


def identified(workshop: Workshop, order: Order) -> Order:
    """The same with the hash of every input."""
    return replace(order, inputs=tuple((role, workshop.identify(placed)) for role, placed in order.inputs))


def step_of(workshop: Workshop, order: Order) -> Step | None:
    """The step this order would be recorded as; None while an input's hash is unknown."""
    inputs: list[tuple[Role, Placed]] = [(role, workshop.recall(placed)) for role, placed in order.inputs]
    if any(placed.hashes is None for _, placed in inputs):
        return None
    return Step(
        type=order.method.kind,
        method=order.method.name,
        version=order.method.version,
        rules=order.rules,
        inputs=tuple(Input(role, placed.model_hash) for role, placed in inputs),
        options=order.method.options(),
        data=tuple(DataFile(path.name, hash_file(path, workshop.memory)) for path in order.recipe.data),
    )


def work_key(workshop: Workshop, order: Order) -> bytes:
    """What makes two half-built folders the same work: the step, or where hashes are unknown the files' state."""
    step = step_of(workshop, order)
    return step.derivation_id if step is not None else key_of_files(workshop, order)


def key_of_files(workshop: Workshop, order: Order) -> bytes:
    """The same from the state of the inputs' files, whose hashes are known once the work is done."""
    states: list[Json] = [
        [role, str(path), stat.st_size, str(stat.st_mtime_ns), stat.st_ino]
        for role, placed in order.inputs
        for path in weight_paths(placed)
        for stat in (os.stat(path),)
    ]
    packages: list[Json] = [
        [role, path, format_hash(content_hash(placed.folder, path))]
        for role, placed in order.inputs
        if not placed.checkpoint.lone
        for path in package_paths(placed.folder)
    ]
    texts: list[Json] = [format_hash(hash_file(path, workshop.memory)) for path in order.recipe.data]
    made = [order.method.name, order.method.version, order.rules, order.method.options()]
    return blake3(canonical_json([*made, states, packages, texts])).digest()


def weight_paths(placed: Placed) -> list[Path]:
    return [placed.folder / name for name in placed.checkpoint.weight_files]
