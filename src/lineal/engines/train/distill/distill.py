"""A distillation: the student, cut where it is to be shallower, in front of its teachers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.architecture.depth import block_count, shallower_config, shallower_names
from lineal.engines.inference.language_model import ModelFolder, encode, full_weights_of
from lineal.engines.merge.child_package import own_package
from lineal.engines.parents.model import Model, full_model
from lineal.engines.parents.stated import vocabulary_of
from lineal.engines.silence import silence
from lineal.engines.text.documents import read_all_documents
from lineal.engines.train.distill.common_tokens import check_sizes, tokenizers_differ
from lineal.engines.train.distill.cut_probe import check_cut, check_written
from lineal.engines.train.distill.objective import DistillationObjective, Pupil
from lineal.engines.train.fake_quantize import fake_quantized
from lineal.engines.train.objective import NextToken, Objective
from lineal.engines.train.run import Trained, TrainingRun, check_context
from lineal.engines.train.trained_weights import check_names, trainable_dtypes, trained_tensors, write_model
from lineal.errors import MethodError
from lineal.methods.distill.distill import Distill, Progressive


def distill(method: Distill, run: TrainingRun, parent: ModelFolder, teachers: Sequence[ModelFolder]) -> Trained:
    """Train the student that the parent begins, and write it with the parent's package."""
    method.check_models(len(teachers))
    kept = _kept_blocks(method, parent, teachers)
    full = full_weights_of(parent.folder, parent.base)
    dtypes = trainable_dtypes(full)
    documents = read_all_documents(run.data)
    tokenizer = parent.tokenizer()
    for teacher in teachers:
        _check_tokens(parent, tokenizer, teacher, documents)
    student, names = student_of(parent, kept)
    check_context(method, student)
    model, objective = _taught(method, student, teachers) if method.uses_teachers else (student, NextToken())
    stored = {names[name]: dtype for name, dtype in dtypes.items() if name in names}
    with fake_quantized(student, method.fake_quantize, stored):
        result = run.optimize(method, model, objective, tokenizer, documents)
    written = write_model(student, run.out, run.staging, stored.__getitem__)
    check_names(written, stored, student, run.out)
    write_package(whole_parent(parent), run.out, kept)
    if kept:
        check_written(student, run.out, parent.name)
    return result


def whole_parent(parent: ModelFolder) -> Model:
    """What the student's package is made from: full weights, with the adapter on them where the parent is one."""
    return full_model(parent.name, open_checkpoint(full_weights_of(parent.folder, parent.base)), parent.adapter)


def _kept_blocks(method: Distill, parent: ModelFolder, teachers: Sequence[ModelFolder]) -> Sequence[int]:
    """The parent's blocks that the student keeps; what the method says of layers must fit all models."""
    if not method.names_layers:
        return ()
    kept = method.kept_blocks(block_count(parent.config, parent.name))
    for teacher in teachers:
        method.check_layers(len(kept), block_count(teacher.config, teacher.name))
    return kept if method.layers is not None else ()


def student_of(parent: ModelFolder, kept: Sequence[int]) -> tuple[PreTrainedModel, Mapping[str, str]]:
    """The parent, or its kept blocks as a model of their own; and parent's published tensor name -> student's."""
    model = parent.load().requires_grad_(True)  # PEFT freezes a base for good
    weights = model.state_dict()
    stored = trained_tensors(full_weights_of(parent.folder, parent.base))
    if not kept:
        return model, {name: name for name in stored}
    meant = shallower_config(whole_parent(parent).config, kept, parent.name)  # as it will be written
    with silence():
        config = type(model.config).from_dict(meant)
        student = cast(
            PreTrainedModel, AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
        )
    renamed = shallower_names(weights, kept, parent.name)
    try:
        student.load_state_dict({renamed[name]: tensor for name, tensor in weights.items() if name in renamed})
    except RuntimeError as error:
        blocks = ", ".join(map(str, kept))
        raise MethodError(f"{parent.name}: its blocks {blocks} do not fit the configuration of fewer") from error
    check_cut(model, student, kept, parent.name)
    return student, shallower_names(stored, kept, parent.name)


def _taught(method: Distill, student: PreTrainedModel, teachers: Sequence[ModelFolder]) -> tuple[nn.Module, Objective]:
    """The student, with a projection beside it where its width differs from a teacher's, and what it is to minimise."""
    taught_by = [_frozen(method, teacher) for teacher in teachers]
    if method.attention is not None:
        for model in (student, *taught_by):
            model.set_attn_implementation("eager")  # the only one that shows its maps
    projections = [_projection(method, student, teacher) for teacher in taught_by]
    pupil = Pupil(student, projections) if any(p is not None for p in projections) else student
    return pupil, DistillationObjective(method, student, taught_by, projections)


def _frozen(method: Distill, teacher: ModelFolder) -> PreTrainedModel:
    model = teacher.load().requires_grad_(False)
    check_context(method, model)
    return model


def _projection(method: Distill, student: PreTrainedModel, teacher: PreTrainedModel) -> nn.Parameter | None:
    """Where hidden states of two widths are matched: a matrix drawn from the seed, to be trained."""
    widths = [cast(int, model.config.get_text_config().hidden_size) for model in (student, teacher)]
    if not isinstance(method.progressive, Progressive) or widths[0] == widths[1]:
        return None
    drawn = method.progressive.loss().with_projection(widths[0], widths[1], seed=method.seed).projection
    return nn.Parameter(torch.from_numpy(cast(Any, drawn).astype(np.float32)))


def _check_tokens(
    parent: ModelFolder, ours: PreTrainedTokenizerBase, teacher: ModelFolder, documents: Sequence[str]
) -> None:
    """Student and teacher must mean the same by a token: as many of them, and both read the data alike."""
    check_sizes(parent.name, parent.config.get("vocab_size"), teacher.name, teacher.config.get("vocab_size"))
    theirs = teacher.tokenizer()
    if _tokens(parent, ours) == _tokens(teacher, theirs):
        pairs = zip(encode(ours, documents), encode(theirs, documents), strict=True)
        if all(np.array_equal(a, b) for a, b in pairs):
            return
    raise tokenizers_differ(parent.name, teacher.name)


def _tokens(model: ModelFolder, tokenizer: PreTrainedTokenizerBase) -> Mapping[str, int]:
    """Token -> id, without those that only fill a GGUF's embedding up."""
    full = open_checkpoint(full_weights_of(model.folder, model.base))
    known = vocabulary_of(full) if full.form == "gguf" else None
    found: Mapping[str, int] = tokenizer.get_vocab()
    return found if known is None else {token: index for token, index in found.items() if token in known}


def write_package(parent: Model, child: Path, kept: Sequence[int]) -> None:
    """The parent's package, with the depth of the student in its configuration."""
    config = shallower_config(parent.config, kept, parent.name) if kept else parent.config
    own_package(parent, config).child().write_package(child)
