"""A merge before a weight is read: every incompatibility of its parents at once, else one job a tensor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.written.layout import Planned
from lineal.engines.architecture.depth import AS_LISTED, Taken, check_blocks, rules_of_stack, stacked_config
from lineal.engines.merge.child_package import (
    ChildPackage,
    chosen_template,
    speaker_of,
    speaks_for_itself,
    tokenizer_remarks,
)
from lineal.engines.merge.composition import ComposedTensor, composed, whole, without_lone_buffers
from lineal.engines.merge.faults import merge_faults, merge_remarks
from lineal.engines.merge.prediction_heads import prediction_heads_apart
from lineal.engines.merge.token_rows import in_vocabulary
from lineal.engines.merge.vocabularies import child_vocabulary, row_maps, vocabulary_faults
from lineal.engines.parents.layouts import BY_PUBLISHED_TENSORS, in_layouts, layout_remarks, layouts_of_child
from lineal.engines.parents.model import Model
from lineal.engines.parents.output_heads import with_heads
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from lineal.methods.streaming import StreamingMethod
from lineal.shown import listed

_CONFIG_DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


def plan_merge(method: StreamingMethod, models: Sequence[Model], base: Model | None = None) -> StreamPlan:
    """Check all parents against each other from their headers; the donor is the base, else the first parent."""
    method.check(len(models), base is not None)
    apart = prediction_heads_apart([*models] if base is None else [base, *models], moved=False)
    inputs = with_heads(apart.models)
    first = len(inputs) - len(models)
    stretches = tuple(Stretch(model=first + index) for index in range(len(models)))
    part = Part(models=stretches, base=None if base is None else Stretch(model=0))
    tensors = without_lone_buffers(whole(part, inputs), inputs)
    _refuse(method.name, list(merge_faults([part], tensors, inputs)))
    jobs = (*_jobs(tensors, inputs, lambda _: method, None), *apart.jobs)
    package, speaker = ChildPackage(inputs[0], inputs[0].config), speaker_of(inputs)
    if not speaks_for_itself(inputs[0], speaker):
        package.take_tokenizer_of(speaker)
    remarks = (*merge_remarks([part], inputs, speaker), *tokenizer_remarks(inputs, speaker))
    layouts = layouts_of_child(inputs, None)
    rules = max(_rules(inputs, speaker), BY_PUBLISHED_TENSORS if layouts and not method.elementwise else 1)
    remarks = (*remarks, *layout_remarks(inputs), *apart.remarks)
    return StreamPlan(in_layouts(jobs, layouts, inputs[0]), package.child(), remarks, rules)


def plan_recipe(recipe: MergeRecipe, inputs: Sequence[Model]) -> StreamPlan:
    """Check all parents of a recipe against each other; its parts name them by place, the donor is the first."""
    recipe.check_inputs(len(inputs))
    apart = prediction_heads_apart(inputs, moved=recipe.several)
    inputs = with_heads(apart.models)
    vocabulary, wanted = None, recipe.vocabulary
    faults = [] if wanted is None else list(vocabulary_faults(wanted, inputs))
    if wanted is not None and not faults:
        vocabulary = child_vocabulary(wanted, inputs)
        inputs = in_vocabulary(inputs, row_maps(wanted, vocabulary, inputs))
    tensors = without_lone_buffers(composed(recipe, inputs, [model.name for model in inputs]), inputs)
    faults += merge_faults(recipe.parts, tensors, inputs, one_vocabulary=wanted is None)
    _refuse(recipe.method, faults)

    def method_for(tensor: ComposedTensor) -> StreamingMethod:
        return recipe.method_at(tensor.part, tensor.names[0], tensor.place)

    jobs = (*_jobs(tensors, inputs, method_for, recipe.dtype), *apart.jobs)
    config = recipe_config(recipe, [model.config for model in inputs], inputs[0].name)
    package, speaker = ChildPackage(inputs[0], config), speaker_of(inputs)
    rules = _rules(inputs, speaker)
    if vocabulary is not None:
        package.take_tokenizer(vocabulary)
        speaker, rules = vocabulary.tokenizer, _rules(inputs, inputs[0])
    elif not speaks_for_itself(inputs[0], speaker):
        package.take_tokenizer_of(speaker)
    if recipe.chat_template is not None:
        package.take_chat_template(chosen_template(recipe.chat_template, inputs))
    template_donor = speaker if recipe.chat_template is None else None
    merged = (*merge_remarks(recipe.parts, inputs, template_donor), *tokenizer_remarks(inputs, speaker))
    layouts = layouts_of_child(inputs, recipe.layout)
    rules = max(rules, _checked_stack(recipe, inputs), BY_PUBLISHED_TENSORS if layouts and recipe.layout is None else 1)
    tasks = in_layouts(jobs, layouts, inputs[0])
    return StreamPlan(tasks, package.child(), (*merged, *layout_remarks(inputs), *apart.remarks), rules)


def _rules(inputs: Sequence[Model], speaker: Model) -> int:
    """2 where a parent gives something else than under rules 1, or a tokenizer that the donor does not have."""
    return max(2 if not speaks_for_itself(inputs[0], speaker) else 1, *(model.rules for model in inputs))


def _refuse(method: str, faults: Sequence[str]) -> None:
    if faults:
        raise CheckpointError(f"{method}: these models cannot be merged: " + listed(faults))


def _jobs(
    tensors: Sequence[ComposedTensor],
    inputs: Sequence[Model],
    method_for: Callable[[ComposedTensor], StreamingMethod],
    dtype: str | None,
) -> tuple[Job, ...]:
    """Integers are copied; all else is merged, and stored as its first model, or base, has it."""
    jobs: list[Job] = []
    for tensor in tensors:
        sources = [inputs[stretch.model][name] for stretch, name in tensor.taken]
        is_number = sources[0].dtype in FLOATS
        planned = Planned(tensor.name, stored_as(dtype, sources[0].dtype), sources[0].shape)
        if is_number:
            base = sources.pop(0) if tensor.part.base else None
            jobs.append(Job(planned, tuple(sources), base, method_for(tensor)))
        else:
            jobs.append(Job(planned, tuple(sources)))
    return tuple(jobs)


def stored_as(asked: str | None, dtype: str) -> str:
    """The dtype of a tensor whose first model, or base, has `dtype`; integers stay what they are."""
    return asked if asked and dtype in FLOATS else dtype


def recipe_config(recipe: MergeRecipe, configs: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """The donor's configuration, with the blocks and the dtype of the child."""
    config = stacked_config(configs[0], _taken(recipe, configs), name) if recipe.several else dict(configs[0])
    if recipe.dtype:
        config["dtype" if "torch_dtype" not in config else "torch_dtype"] = _CONFIG_DTYPES[recipe.dtype]
    return config


def _taken(recipe: MergeRecipe, configs: Sequence[Mapping[str, Any]]) -> list[Taken]:
    """The blocks of each part's first model, or base: what the child's are like."""
    donors = [part.stretches[0] for part in recipe.parts]
    return [(configs[donor.model], range(*(donor.blocks or (0, 0)))) for donor in donors]


def _checked_stack(recipe: MergeRecipe, inputs: Sequence[Model]) -> int:
    """The rules that the child's configuration is written under; blocks must be what their own ones say."""
    if not recipe.several:
        return AS_LISTED
    for place in dict.fromkeys(part.stretches[0].model for part in recipe.parts):
        check_blocks(inputs[place].config, {n: t.shape for n, t in inputs[place].items()}, inputs[place].name)
    return rules_of_stack(inputs[0].config, _taken(recipe, [model.config for model in inputs]), inputs[0].name)
