"""The same training gives the same bytes: repeated, killed and continued, and whatever else the process does."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lineal.engines.train.base_name import BaseName
from lineal.engines.train.train import train
from lineal.errors import StorageError
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.lora import Lora
from lineal.methods.finetune.scratch import Scratch
from lineal.methods.finetune.training import Training
from tests.engines.tiny_models import CONFIG, POSITIONS, VOCABULARY, contents

SHORT = {"sequence_length": POSITIONS, "batch_size": 2, "gradient_accumulation": 2, "tokens": 1300}
STEPS = 11
ORIGINAL = Scratch(config=CONFIG, tokenizer={"train": {"vocab_size": VOCABULARY}}, weight_decay=0.1, **SHORT)
FULL = FullFineTune(optimizer="muon", learning_rate=1e-3, **SHORT)
LORA = Lora(rank=4, dropout=0.2, learning_rate=5e-3, schedule="linear", **SHORT)


def run(method: Training, folder: Path, data: Path, parent: Path, **options) -> dict[str, bytes]:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    report = train(
        method,
        data=[data],
        out=out,
        scratch=folder / "scratch",
        parent=None if method is ORIGINAL else parent,
        base=BaseName("tiny"),
        **options,
    )
    assert report.steps == len(report.losses) == STEPS
    return contents(out)


class Interrupted(Exception):
    pass


def interrupt_at(step: int):
    def progress(done: int, total: int, loss: float) -> None:
        if done == step:
            raise Interrupted

    return progress


@pytest.mark.parametrize("method", [ORIGINAL, FULL, LORA], ids=lambda method: method.name)
def test_a_training_continues_to_the_bytes_of_an_uninterrupted_one(tmp_path, data, tiny_model, method):
    uninterrupted = run(method, tmp_path / "whole", data, tiny_model)
    assert run(method, tmp_path / "again", data, tiny_model) == uninterrupted
    for step in (3, 8, STEPS):
        with pytest.raises(Interrupted):
            run(method, tmp_path / "parts", data, tiny_model, checkpoint_seconds=0, progress=interrupt_at(step))
    steps: list[int] = []
    last = run(method, tmp_path / "parts", data, tiny_model, progress=lambda done, total, loss: steps.append(done))
    assert steps == [STEPS]
    assert last == uninterrupted


KILLED = """
import os, signal, sys
from pathlib import Path
from lineal.engines.train.continuation import Continuation
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.train import train
from lineal.methods.finetune.lora import Lora
from transformers import Trainer

how, options = sys.argv[1], eval(sys.argv[2])
folder, data, parent = map(Path, sys.argv[3:])

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def between(done, total, loss):
    if how == "between checkpoints" and done == 6:
        die()

def torn(self, folder):
    if how == "within a checkpoint" and self.state.global_step == 8:
        die()
    return save(self, folder)

def whole(self, args, state, control, **given):
    mark(self, args, state, control, **given)
    if how == "after a checkpoint" and state.global_step == 3:
        die()

save, Trainer._save_optimizer_and_scheduler = Trainer._save_optimizer_and_scheduler, torn
mark, Continuation.on_save = Continuation.on_save, whole
train(Lora(**options), data=[data], out=folder / "out", scratch=folder / "scratch", parent=parent,
      base=BaseName("tiny"), checkpoint_seconds=0, progress=between)
"""


def test_kills_anywhere_change_no_byte(tmp_path, data, tiny_model):
    uninterrupted = run(LORA, tmp_path / "whole", data, tiny_model)
    folder = tmp_path / "killed"
    (folder / "out").mkdir(parents=True)
    options = repr({**LORA.options(), "seed": LORA.seed})
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # as tiny_models sets it here
    left = {"after a checkpoint": 3, "between checkpoints": 5, "within a checkpoint": 8}
    for how, newest in left.items():
        words = [sys.executable, "-c", KILLED, how, options, str(folder), str(data), str(tiny_model)]
        assert subprocess.run(words, check=False, capture_output=True, env=environment).returncode == -9, how
        found = sorted(int(path.name.rpartition("-")[2]) for path in (folder / "scratch").glob("checkpoint-*"))
        assert found[-1] == newest
    assert not (folder / "scratch" / "checkpoint-8" / "optimizer.pt").exists()
    assert run(LORA, folder, data, tiny_model) == uninterrupted


def test_the_checkpoints_of_another_training_are_refused(tmp_path, data, tiny_model):
    with pytest.raises(Interrupted):
        run(LORA, tmp_path, data, tiny_model, progress=interrupt_at(3))
    other = Lora(**{**LORA.options(), "seed": 7})
    with pytest.raises(StorageError, match="checkpoints of another training"):
        run(other, tmp_path, data, tiny_model)


def test_what_the_process_drew_before_does_not_matter_and_what_it_draws_after_is_not_changed(
    tmp_path, data, tiny_model
):
    torch.manual_seed(1)
    random.seed(1)
    expected = torch.rand(3).tolist(), random.random()
    torch.manual_seed(1)
    random.seed(1)
    first = run(LORA, tmp_path / "first", data, tiny_model)
    assert (torch.rand(3).tolist(), random.random()) == expected
    assert run(LORA, tmp_path / "second", data, tiny_model) == first
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_seed_decides(tmp_path, data, tiny_model):
    other = Lora(**{**LORA.options(), "seed": 7})
    assert run(other, tmp_path / "a", data, tiny_model) != run(LORA, tmp_path / "b", data, tiny_model)


def test_gradient_accumulation_averages_over_the_tokens_of_the_whole_step(tmp_path, data, tiny_model):
    def losses(batch_size: int, accumulation: int) -> tuple[float, ...]:
        method = FullFineTune(
            sequence_length=POSITIONS, batch_size=batch_size, gradient_accumulation=accumulation, learning_rate=1e-3
        )
        folder = tmp_path / f"{batch_size}x{accumulation}"
        (folder / "out").mkdir(parents=True)
        arguments = {"out": folder / "out", "scratch": folder / "scratch", "parent": tiny_model, "base": BaseName("t")}
        return train(method, data=[data], **arguments).losses

    assert losses(1, 6) == pytest.approx(losses(6, 1), rel=1e-4)
    assert losses(4, 2) == pytest.approx(losses(8, 1), rel=1e-4)


def test_bfloat16_arithmetic_repeats_too_and_leaves_float32_behind_as_it_was(tmp_path, data, tiny_model):
    options = {**FULL.options(), "seed": FULL.seed}
    single = run(FULL, tmp_path / "single", data, tiny_model)
    half = FullFineTune(**{**options, "precision": "bfloat16"})
    first = run(half, tmp_path / "first", data, tiny_model)
    assert first == run(half, tmp_path / "second", data, tiny_model)
    assert first != single == run(FULL, tmp_path / "once more", data, tiny_model)


def test_a_training_is_silent(tmp_path, data, tiny_model, capfd):
    run(LORA, tmp_path, data, tiny_model)
    assert capfd.readouterr() == ("", "")
