"""A cut model against the model it was cut from, and a folder against the model that was written to it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.inference.language_model import context_length, load_model
from lineal.errors import CheckpointError, MethodError
from lineal.shown import quoted

_TOKENS = 16
_CLOSE = 1e-5
"""The largest difference as a share of the largest logit: other orders of float32 sums, and no other model."""

_DTYPES = {"F64": torch.float32, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def check_cut(parent: PreTrainedModel, student: PreTrainedModel, kept: Sequence[int], name: str) -> None:
    """The student must do what the parent does when its other blocks pass on what they get; a MethodError if not."""
    blocks, own = _blocks(parent, name), _blocks(student, name)
    for place, number in enumerate(kept):
        _compare_constants((blocks[number], number, len(blocks)), (own[place], place, len(own)), name)
    others = [block for number, block in enumerate(blocks) if number not in kept]
    with _passing_on(others):
        expected = _logits(parent)
    if not _close(_logits(student), expected):
        listed = ", ".join(map(str, kept))
        raise MethodError(
            f"{name}: its blocks {listed} on their own compute something else than they do in their model"
        )


def check_written(student: PreTrainedModel, folder: Path, name: str) -> None:
    """The folder, opened again, must hold the student's weights as they are stored, and have its logits."""
    dtypes = {_DTYPES[spec.dtype] for spec in open_checkpoint(folder).values()}
    opened = load_model(folder)
    stored: Mapping[str, Tensor] = opened.state_dict()
    for key, ours in student.state_dict().items():
        if not any(torch.equal(ours.to(dtype).float(), stored[key].float()) for dtype in dtypes):
            raise CheckpointError(f"{folder}: {quoted(key)} is not what was trained of {name}")
    student.load_state_dict(stored)  # rounded as they are stored, so that logits can be compared closely
    for model in (student, opened):
        model.set_attn_implementation("eager")  # as a training that matches attention maps has set it in one of them
    if not _close(_logits(opened), _logits(student)):
        raise CheckpointError(
            f"{folder}: its configuration makes another model of the weights than {name} that was trained"
        )


def _blocks(model: PreTrainedModel, name: str) -> nn.ModuleList:
    stacks = {match["before"] for key in model.state_dict() if (match := BLOCK.fullmatch(key))}
    found = model.get_submodule(stacks.pop().removesuffix(".")) if len(stacks) == 1 else None
    if not isinstance(found, nn.ModuleList):
        raise MethodError(f"{name}: one stack of blocks is needed to cut its layers")
    return found


def _compare_constants(theirs: tuple[nn.Module, int, int], ours: tuple[nn.Module, int, int], name: str) -> None:
    """Whatever a block holds beside tensors must stay, but for its own number and how many there are."""
    (there, number, count), (here, place, left) = theirs, ours
    before, after = _constants(there), _constants(here)
    for key in sorted(before.keys() | after.keys()):
        pair = (before.get(key), after.get(key))
        if pair[0] != pair[1] and pair not in ((number, place), (count, left)):
            raise MethodError(
                f"{name}: its block {number} would be another as block {place}: {key} is {pair[0]}, not {pair[1]}"
            )


def _constants(block: nn.Module) -> dict[str, Any]:
    return {
        f"{path}.{attribute}".removeprefix("."): value
        for path, module in block.named_modules()
        for attribute, value in vars(module).items()
        if isinstance(value, bool | int | float | str) and not attribute.startswith("_") and attribute != "training"
    }


@contextmanager
def _passing_on(blocks: Sequence[nn.Module]) -> Generator[None]:
    """Blocks that leave the hidden states as they are."""

    def unchanged(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Any) -> Any:
        hidden = given[0] if given else named["hidden_states"]
        return (hidden, *output[1:]) if isinstance(output, tuple | list) else hidden

    hooks = [block.register_forward_hook(unchanged, with_kwargs=True) for block in blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _logits(model: PreTrainedModel) -> Tensor:
    rows = len(cast(Tensor, model.get_input_embeddings().weight))
    tokens = min(_TOKENS, context_length(model) or _TOKENS)
    ids = torch.tensor([[(7919 * place + 13) % rows for place in range(tokens)]])
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits
    model.train(was_training)
    return logits


def _close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= _CLOSE * expected.abs().max())
