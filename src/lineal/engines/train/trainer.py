"""transformers' Trainer around an objective: its loop, resume and accelerate, without its file formats and output."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast, final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from lineal.engines.silence import silence
from lineal.engines.text.batches import Batch, CourseDataset, collate
from lineal.engines.text.packing import Course
from lineal.engines.train.continuation import KEPT_CHECKPOINTS, Continuation, latest_checkpoint
from lineal.engines.train.objective import Objective
from lineal.engines.train.optimizers import make_optimizer, make_schedule
from lineal.errors import MethodError, StorageError
from lineal.methods.finetune.training import Training

Progress: TypeAlias = Callable[[int, int, float], None]
"""Called after each optimizer step with the steps done, all steps, and the loss."""

_WEIGHTS = "trained.safetensors"


@final
class ObjectiveTrainer(Trainer):
    """Minimises an objective; a checkpoint holds the trained parameters alone, not the frozen ones."""

    loss_is_scaled_for_ga = True

    def __init__(self, objective: Objective, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._objective = objective
        self.model_accepts_loss_kwargs = True  # count the step's labels, whatever the model's forward accepts
        self.remove_callback(PrinterCallback)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        return self._objective.loss(model, cast(Batch, cast(object, inputs)), cast(Tensor, num_items_in_batch))

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(cast(str, output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_file({n: p.detach().contiguous() for n, p in _trained(self.model).items()}, folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        stored = load_file(Path(resume_from_checkpoint) / _WEIGHTS)
        trained = _trained(self.model)
        if stored.keys() != trained.keys():
            raise StorageError(f"{resume_from_checkpoint}: holds other parameters than are trained; delete it")
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(stored[name])


@final
class Reporting(TrainerCallback):
    """Passes the loss of each step on, and stops a training that has diverged."""

    def __init__(self, training: Training, progress: Progress | None) -> None:
        self._training = training
        self._progress = progress

    def on_log(self, args: TrainingArguments, state: Any, control: Any, **given: Any) -> None:
        logs: dict[str, float] = given["logs"]
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise MethodError(
                f"{self._training.name}: the loss became {logs['loss']} at step {state.global_step}; "
                f"a smaller learning_rate is needed (it is {self._training.learning_rate})"
            )
        if self._progress is not None:
            self._progress(state.global_step, state.max_steps, logs["loss"])


def optimize(
    training: Training,
    model: Any,
    course: Course,
    objective: Objective,
    *,
    scratch: Path,
    checkpoint_seconds: float,
    progress: Progress | None,
) -> list[float]:
    """Train the model's trainable parameters in place; returns the loss of every step.

    scratch: the folder of the checkpoints. What an earlier call with the same arguments left there is continued.
    """
    _require_one_device(training)
    steps = math.ceil(len(course) / (training.batch_size * training.gradient_accumulation))
    optimizer = make_optimizer(training, model, model.get_output_embeddings())
    with silence():
        trainer = ObjectiveTrainer(
            objective,
            model=model,
            args=_arguments(training, scratch),
            train_dataset=CourseDataset(course),
            data_collator=collate,
            optimizers=(optimizer, make_schedule(training, optimizer, steps)),
            callbacks=[Continuation(checkpoint_seconds), Reporting(training, progress)],
        )
        trainer.train(resume_from_checkpoint=latest_checkpoint(scratch))
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def _require_one_device(training: Training) -> None:
    """Trainer would split batches over all it finds; the steps counted here would then be others."""
    processes, gpus = int(os.environ.get("WORLD_SIZE", "1")), torch.cuda.device_count()
    if processes > 1 or gpus > 1:
        raise MethodError(
            f"{training.name}: training runs in one process on one device, found {processes} processes and "
            f"{gpus} GPUs; CUDA_VISIBLE_DEVICES chooses one"
        )


def _arguments(training: Training, scratch: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation,
        num_train_epochs=1,  # the course already holds every epoch, each in its order
        train_sampling_strategy="sequential",
        max_grad_norm=training.max_grad_norm,
        seed=training.seed % 2**32,
        bf16=training.precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",  # Continuation decides
        save_total_limit=KEPT_CHECKPOINTS,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        log_level="error",
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _trained(model: Any) -> dict[str, nn.Parameter]:
    return {name: p for name, p in cast(nn.Module, model).named_parameters() if p.requires_grad}
