"""What stands against a recipe, before anything is downloaded, hashed or made: all of it, not only the first."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from lineal.checkpoint.package import vocabulary
from lineal.engines.architecture.depth import block_count
from lineal.engines.extra import require_training
from lineal.engines.parents.model import CODES_ARE_NO_PARENT, GGUF_IS_NO_PARENT
from lineal.engines.text.documents import read_documents
from lineal.engines.train.distill.common_tokens import check_sizes, check_vocabularies
from lineal.errors import CheckpointError, LinealError, MethodError
from lineal.family.build.foreseen import Foreseen
from lineal.family.build.makers.table import maker_of
from lineal.family.build.target import check_apart, check_target
from lineal.family.build.weights import own_weights
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import LocalModel
from lineal.methods.distill import Distill
from lineal.methods.finetune import Lora, Scratch, Training
from lineal.methods.merge import AdapterMerge, GreedySoup
from lineal.methods.streaming import StreamingMethod


def recipe_faults(
    recipe: ModelRecipe, models: Mapping[str, Foreseen], seen: Mapping[str, LocalModel], target: Path
) -> Iterator[LinealError]:
    """models: that it is made from, by the names it uses; seen: those that lie here, or whose headers do."""
    checks = (
        lambda: _target(recipe, seen, target),
        *(lambda path=path: read_documents(path) for path in recipe.data),
        lambda: _forms(recipe, models),
        lambda: _counts(recipe, models),
        lambda: _positions(recipe, models),
        lambda: _tokens(recipe, models),
        lambda: _blocks(recipe, models),
        lambda: _training(recipe, models, target),
    )
    for check in checks:
        try:
            check()
        except LinealError as fault:
            yield fault


def _target(recipe: ModelRecipe, seen: Mapping[str, LocalModel], target: Path) -> None:
    """An output must not be one of the folders that the family is made from, nor what lineal has not made."""
    check_apart(recipe.name, target, (*seen.values(), *(one.base for one in seen.values() if one.base)))
    if recipe.method is not None:
        check_target(target, recipe.method)


def _forms(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    for model in _of(recipe, models):
        if model.form == "gguf" and not maker_of(recipe.made_by).takes_gguf:
            raise CheckpointError(f"{recipe.name}: {model.label} {GGUF_IS_NO_PARENT}")
        if model.form == "adapter" and isinstance(recipe.method, Lora):
            recipe.method.refuse_adapter(model.label)
    for model in _of(recipe, models, "parent", "student"):  # a teacher is loaded by transformers, whatever it is
        trained = model.local if isinstance(recipe.method, Training) else None
        if trained and trained.checkpoint.config.get("quantization_config") and own_weights(trained).is_codes:
            raise CheckpointError(f"{recipe.name}: {trained.label} {CODES_ARE_NO_PARENT}")


def _counts(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    """Where a parent is still to be made, nobody else counts before it is; of one that is nowhere that is told."""
    method, parents = recipe.method, _of(recipe, models, "parent", "adapter")
    if not isinstance(method, StreamingMethod) or len(_of(recipe, models)) < len(recipe.inputs):
        return
    has_base, adapts = any(r.role == "base" for r in recipe.inputs), any(one.form == "adapter" for one in parents)
    if isinstance(method, GreedySoup):
        method = method.before_picking(len(parents))
    if method.kind != "merge":
        method.check_models(len(parents))
    elif isinstance(method, AdapterMerge):
        if parents and not adapts:
            raise MethodError(f"adapter: {parents[0].label} is not an adapter")
    else:
        method.check(len(parents), has_base=(has_base or adapts) if method.uses_base else has_base and not adapts)


def _positions(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    if isinstance(recipe.method, Training):
        for model in _of(recipe, models):
            config = {} if model.full is None else model.full.checkpoint.config
            bound = config.get("text_config", config).get("max_position_embeddings")
            recipe.method.check_positions(bound if isinstance(bound, int) else None)


def _tokens(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    """Student and teachers must mean the same by a token."""
    students = _of(recipe, models, "student")
    if not isinstance(recipe.method, Distill) or not students or students[0].full is None:
        return
    student, ours = students[0], students[0].full
    for teacher in _of(recipe, models, "teacher"):
        theirs = teacher.full
        if theirs is None or theirs.checkpoint is ours.checkpoint:
            continue
        sizes = (one.checkpoint.config.get("vocab_size") for one in (ours, theirs))
        check_sizes(student.label, next(sizes), teacher.label, next(sizes))
        tables = [vocabulary(one.folder) for one in (ours, theirs)]
        if None not in tables:
            check_vocabularies(student.label, tables[0], teacher.label, tables[1])


def _blocks(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    """What a distillation says of layers must fit the models that are here."""
    method, students = recipe.method, _of(recipe, models, "student")
    if not isinstance(method, Distill) or not students or students[0].local is None or not method.names_layers:
        return
    kept = method.kept_blocks(block_count(students[0].local.checkpoint.config, students[0].label))
    for teacher in _of(recipe, models, "teacher"):
        if teacher.local is not None:
            method.check_layers(len(kept), block_count(teacher.local.checkpoint.config, teacher.label))


def _training(recipe: ModelRecipe, models: Mapping[str, Foreseen], target: Path) -> None:
    """What needs torch, asked only where it will be needed anyway."""
    needs = maker_of(recipe.made_by).needs
    if target.exists() or not needs:
        return
    require_training(needs)
    from lineal.engines.inference.next_token import no_next_token
    from lineal.engines.train.forecast import adapter_tensors, original_tensors

    for model in _of(recipe, models):
        if model.full is not None and (why := no_next_token(model.full.checkpoint.config)):
            raise CheckpointError(f"{model.label}: {why}")
    if isinstance(recipe.method, Scratch):
        _ = original_tensors(recipe.method)
    parents = _of(recipe, models, "parent")
    if isinstance(recipe.method, Lora) and parents and parents[0].form == "full" and parents[0].local is not None:
        _ = adapter_tensors(recipe.method, parents[0].local.checkpoint.config)


def _of(recipe: ModelRecipe, models: Mapping[str, Foreseen], *roles: str) -> list[Foreseen]:
    """The inputs of these roles, of all without any, as far as they are known."""
    return [models[r.model] for r in recipe.inputs if r.model in models and (not roles or r.role in roles)]
