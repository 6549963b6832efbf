"""What stands against a training, before anything is downloaded, hashed or made."""

from collections.abc import Callable, Mapping
from functools import partial

from lineal.checkpoint.quantized.folder import is_quantized
from lineal.engines.architecture.depth import block_count
from lineal.engines.extra import require_training
from lineal.engines.parents.stated import vocabulary_of
from lineal.engines.train.distill.common_tokens import check_sizes, check_vocabularies
from lineal.errors import CheckpointError
from lineal.family.build.foreseen import Foreseen, in_roles
from lineal.family.build.weights import own_weights
from lineal.family.file.recipe import ModelRecipe
from lineal.methods.distill.distill import Distill
from lineal.methods.finetune.lora import Lora
from lineal.methods.finetune.scratch import Scratch
from lineal.methods.finetune.training import Training


def training_checks(recipe: ModelRecipe, models: Mapping[str, Foreseen], *, is_there: bool) -> list[Callable[[], None]]:
    """is_there: whether something lies where the model is to be."""
    checks = [partial(check, recipe, models) for check in (_forms, _positions, _tokens, _blocks)]
    return checks if is_there else [*checks, partial(_training, recipe, models)]


def _forms(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    for model in in_roles(recipe, models):
        if model.form == "adapter" and isinstance(recipe.method, Lora):
            recipe.method.refuse_adapter(model.label)
        if model.local is not None and is_quantized(model.local.checkpoint):
            _ = own_weights(model.local)  # what cannot be decoded is refused from its headers


def _positions(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    if isinstance(recipe.method, Training):
        for model in in_roles(recipe, models):
            config = {} if model.full is None else model.full.config
            bound = config.get("text_config", config).get("max_position_embeddings")
            recipe.method.check_positions(bound if isinstance(bound, int) else None)


def _tokens(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    """Student and teachers must mean the same by a token."""
    students = in_roles(recipe, models, "student")
    if not isinstance(recipe.method, Distill) or not students or students[0].full is None:
        return
    student, ours = students[0], students[0].full
    for teacher in in_roles(recipe, models, "teacher"):
        theirs = teacher.full
        if theirs is None or theirs.checkpoint is ours.checkpoint:
            continue
        sizes = (one.config.get("vocab_size") for one in (ours, theirs))
        check_sizes(student.label, next(sizes), teacher.label, next(sizes))
        tables = [vocabulary_of(one.checkpoint) for one in (ours, theirs)]
        if None not in tables:
            check_vocabularies(student.label, tables[0], teacher.label, tables[1])


def _blocks(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    """What a distillation says of layers must fit the models that are here."""
    method, students = recipe.method, in_roles(recipe, models, "student")
    if not isinstance(method, Distill) or not students or students[0].local is None or not method.names_layers:
        return
    kept = method.kept_blocks(block_count(students[0].local.config, students[0].label))
    for teacher in in_roles(recipe, models, "teacher"):
        if teacher.local is not None:
            method.check_layers(len(kept), block_count(teacher.local.config, teacher.label))


def _training(recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    """What needs torch, asked only where it will be needed anyway."""
    require_training("training")
    from lineal.engines.inference.next_token import no_next_token
    from lineal.engines.train.forecast import adapter_tensors, original_tensors

    for model in in_roles(recipe, models):
        if model.full is not None and (why := no_next_token(model.full.config)):
            raise CheckpointError(f"{model.label}: {why}")
    if isinstance(recipe.method, Scratch):
        _ = original_tensors(recipe.method)
    parents = in_roles(recipe, models, "parent")
    if isinstance(recipe.method, Lora) and parents and parents[0].form != "adapter" and parents[0].local is not None:
        _ = adapter_tensors(recipe.method, parents[0].local.config)
