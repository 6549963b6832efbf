"""The training engine: originals, full fine-tuning and adapters, resumable, the same bytes on repetition."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from transformers import PreTrainedModel

from lineal.engines.inference.language_model import (
    ModelFolder,
    end_of_document,
    full_weights_of,
    load_model,
    load_tokenizer,
)
from lineal.engines.text.documents import read_all_documents
from lineal.engines.text.encoding import Remark
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.determinism import deterministic
from lineal.engines.train.distill.distill import distill
from lineal.engines.train.fake_quantize import fake_quantized
from lineal.engines.train.from_scratch import make_config, random_model, stored_dtype, train_tokenizer, write_package
from lineal.engines.train.lora_adapter import add_adapter, write_adapter
from lineal.engines.train.objective import NextToken
from lineal.engines.train.run import Trained, TrainingRun, check_context
from lineal.engines.train.trained_weights import check_names, trainable_dtypes, write_model
from lineal.engines.train.trainer import Progress
from lineal.errors import MethodError, StorageError
from lineal.methods.distill.distill import Distill
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.lora import Lora
from lineal.methods.finetune.scratch import Scratch
from lineal.methods.finetune.training import Training

CHECKPOINT_SECONDS = 60.0


@final
@dataclass(frozen=True)
class TrainingReport:
    """What a training did.

    tokens: read in all, epochs and resumed parts included; epochs: how often the data was begun.
    losses: of every optimizer step, nats a token. seconds: of this call alone, where an earlier one was killed.
    """

    tokens: int
    tokens_in_data: int
    epochs: int
    steps: int
    seconds: float
    losses: tuple[float, ...]

    @property
    def final_loss(self) -> float:
        return self.losses[-1]


def train(
    method: Training,
    *,
    data: Sequence[Path],
    out: Path,
    scratch: Path,
    parent: Path | None = None,
    parent_base: Path | None = None,
    base: BaseName | None = None,
    teachers: Sequence[ModelFolder] = (),
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    progress: Progress | None = None,
    remark: Remark | None = None,
) -> TrainingReport:
    """Train, and fill `out`, an empty folder: weights in full, an adapter, or for an original the whole package.

    scratch: holds the checkpoints; the same call after a kill continues from them. parent_base: the full weights below
    a parent that is an adapter. base: what the child's adapter says of its base. teachers: of a distillation, whose
    student the parent is.
    """
    if not out.is_dir() or any(out.iterdir()):
        raise StorageError(f"{out}: training needs an existing, empty folder to write to")
    begun = time.monotonic()
    run = TrainingRun(data, out, scratch, base or BaseName(), checkpoint_seconds, progress, remark)
    with deterministic(method.seed):
        match method:
            case Scratch():
                course, losses = _original(method, run)
            case FullFineTune():
                course, losses = _full(method, run, _needed(method, parent), parent_base)
            case Lora():
                course, losses = _lora(method, run, _needed(method, parent), parent_base)
            case Distill():
                student = ModelFolder(_needed(method, parent), parent_base, run.base.name)
                course, losses = distill(method, run, student, teachers)
            case _:
                raise MethodError(f"{method.name}: the training engine does not know this method")
    seconds = time.monotonic() - begun
    return TrainingReport(course.tokens, len(course.blocks.tokens), course.epochs, len(losses), seconds, tuple(losses))


def _original(method: Scratch, run: TrainingRun) -> Trained:
    documents = read_all_documents(run.data)
    dtype = stored_dtype(method)
    tokenizer = train_tokenizer(documents, method.vocabulary_size)
    config = make_config(method, end_of_document(tokenizer, "train"))
    model = random_model(copy.deepcopy(config))  # transformers writes into the one that it is given
    check_context(method, model)
    config.architectures = [type(model).__name__]
    result = run.optimize(method, model, NextToken(), tokenizer, documents)
    write_model(model, run.out, run.staging, lambda _: dtype)
    write_package(config, tokenizer, run.out)
    return result


def _full(method: FullFineTune, run: TrainingRun, parent: Path, base: Path | None) -> Trained:
    dtypes = trainable_dtypes(full_weights_of(parent, base))
    documents = read_all_documents(run.data)
    model = load_model(parent, base).requires_grad_(True)  # PEFT freezes a base for good
    _freeze_others(method, model)
    check_context(method, model)
    with fake_quantized(model, method.fake_quantize, dtypes):
        result = run.optimize(method, model, NextToken(), load_tokenizer(parent, base), documents)
    written = write_model(model, run.out, run.staging, dtypes.__getitem__)
    check_names(written, dtypes, model, run.out)
    return result


def _freeze_others(method: FullFineTune, model: PreTrainedModel) -> None:
    for name, parameter in model.named_parameters():
        _ = parameter.requires_grad_(method.trains(name))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise MethodError(f"{method.name}: none of the model's parameters is trained")


def _lora(method: Lora, run: TrainingRun, parent: Path, base: Path | None) -> Trained:
    if base is not None:
        method.refuse_adapter(run.base.name)
    documents = read_all_documents(run.data)
    model = load_model(parent)
    check_context(method, model)
    adapted = add_adapter(model, method.config, run.remark)
    result = run.optimize(method, adapted, NextToken(), load_tokenizer(parent), documents)
    write_adapter(adapted, run.out, run.base)
    return result


def _needed(method: Training, parent: Path | None) -> Path:
    if parent is None:
        raise MethodError(f"{method.name}: a parent is needed")
    return parent
