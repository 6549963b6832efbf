"""What lineal makes of a tiny model of an architecture, beside what transformers and PEFT compute in memory."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.inference.language_model import ModelFolder
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import full_model
from lineal.engines.prune.plan import plan_pruning
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.train.distill.cut_probe import check_written
from lineal.engines.train.distill.distill import student_of, whole_parent, write_package
from lineal.engines.train.trained_weights import trainable_dtypes, write_model
from lineal.errors import LinealError
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from tests.engines.merges import write

IDS = torch.tensor([[(5 * place + 3) % 61 + 2 for place in range(24)]])
"""Longer than the sliding windows of tiny models."""
CLOSE = 2e-5


def outcomes(model: PreTrainedModel, folder: Path) -> dict[str, str]:
    """Kind of derivation -> `equal`, or the words of the refusal."""
    parent = folder / "parent"
    model.save_pretrained(parent)
    opened = load(parent)
    expected = logits(opened)
    blocks = stack_of(opened)
    kept = [0, *range(2, len(blocks))] if blocks is not None else []
    cut = logits_without(opened, blocks[1]) if blocks is not None else None

    def whole(plan: StreamPlan, out: Path) -> Tensor:
        """What is the parent bit by bit has its logits."""
        write(plan, out)
        plan.child.write_package(out)
        return expected if same_files(parent, out) else logits(load(out))

    made: dict[str, Callable[[Path], Tensor]] = {
        "passthrough": lambda out: whole(plan_merge(Passthrough(), [seen(parent)]), out),
        "slices": lambda out: child_of(plan_recipe(slices(len(kept) + 1), [seen(parent)]), out),
        "student": lambda out: students_logits(parent, kept, out),
        "prune 0": lambda out: whole(plan_pruning(MagnitudePruning(sparsity=0.0), seen(parent)), out),
        "adapter": lambda out: adapted(parent, out),
    }
    found: dict[str, str] = {}
    for name, make in made.items():
        wanted = cut if name in ("slices", "student") else expected
        if name == "adapter":
            wanted = with_adapter(opened, folder / "peft")
        if wanted is None:
            continue
        out = folder / f"child-{name}"
        out.mkdir()
        try:
            child = make(out)
        except LinealError as error:
            said = re.sub(r" \(known: [^)]*\)", "", str(error))  # a list that grows
            found[name] = "refused: " + said.replace(f"{folder}/", "")
            continue
        worst = (child - wanted).abs().max() / wanted.abs().max()
        found[name] = "equal" if worst < CLOSE else f"differs by {worst:.2g} of the largest logit"
    return found


def seen(folder: Path, adapter: Path | None = None) -> Any:
    return full_model("parent", open_checkpoint(folder), open_checkpoint(adapter) if adapter else None)


def child_of(plan: StreamPlan, out: Path) -> Tensor:
    write(plan, out)
    plan.child.write_package(out)
    return logits(load(out))


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same configuration and the same tensors, bit by bit."""
    tensors = [load_file(folder / "model.safetensors") for folder in (one, other)]
    configs = [(folder / "config.json").read_bytes() for folder in (one, other)]
    return (
        configs[0] == configs[1]
        and tensors[0].keys() == tensors[1].keys()
        and all(torch.equal(tensor, tensors[1][name]) for name, tensor in tensors[0].items())
    )


def slices(blocks: int) -> MergeRecipe:
    """All blocks but the second, as a frankenmerge of one model."""
    ranges = ((0, 1), (2, blocks))
    return MergeRecipe(
        method="passthrough", parts=tuple(Part(models=(Stretch(model=0, blocks=each),)) for each in ranges)
    )


def students_logits(parent: Path, kept: Sequence[int], out: Path) -> Tensor:
    """The cut of a distillation without its training."""
    folder = ModelFolder(parent, name="parent")
    student, names = student_of(folder, kept)
    stored = {names[name]: dtype for name, dtype in trainable_dtypes(parent).items() if name in names}
    write_model(student, out, out.parent / "staging", stored.__getitem__)
    write_package(whole_parent(folder), out, kept)
    check_written(student, out, "parent")
    return logits(load(out))


def with_adapter(model: PreTrainedModel, folder: Path) -> Tensor | None:
    """A random LoRA on two linear layers of the second block, saved by PEFT; the logits of both, unmerged."""
    blocks = stack_of(model)
    places = () if blocks is None else linear_layers_of(model, blocks[1])
    if not places:
        return None
    config = LoraConfig(r=2, lora_alpha=4, target_modules=places)  # as full paths, which PEFT takes as they are
    torch.manual_seed(1)
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data = 0.3 * torch.randn(parameter.shape)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return logits(adapted)


def adapted(parent: Path, out: Path) -> Tensor:
    return child_of(plan_merge(AdapterMerge(), [seen(parent, out.parent / "peft")]), out)


def load(folder: Path) -> PreTrainedModel:
    """By transformers alone; a tensor without a place, or a place without a tensor, fails."""
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
    )
    faults = {what: names for what, names in info.items() if names and what != "conversion_errors"}
    assert not faults, faults
    return model.eval()


def logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits


def stack_of(model: PreTrainedModel) -> nn.ModuleList | None:
    """The blocks, as the model itself has them."""
    names = (name for name, _ in model.named_parameters())
    stacks = {match[1] for name in names if (match := re.match(r"((?:.+?\.)?(?:layers|h|blocks))\.\d+\.", name))}
    return model.get_submodule(stacks.pop()) if len(stacks) == 1 else None


def logits_without(model: PreTrainedModel, block: nn.Module) -> Tensor:
    """As if the block gave back what it is given."""

    def unchanged(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Any) -> Any:
        hidden = given[0] if given else named["hidden_states"]
        return (hidden, *output[1:]) if isinstance(output, tuple | list) else hidden

    hook = block.register_forward_hook(unchanged, with_kwargs=True)
    try:
        return logits(model)
    finally:
        hook.remove()


def linear_layers_of(model: PreTrainedModel, block: nn.Module) -> list[str]:
    """The paths of the first and the last plain linear layer in a block with more than one output."""
    paths = {module: path for path, module in model.named_modules()}
    linear = [m for m in block.modules() if type(m) is nn.Linear and m.out_features > 4 and m.in_features > 4]
    left_out = ["mixer.out_proj"]  # which PEFT refuses
    if any(".experts" in path for path in paths.values()):  # where PEFT adapts the experts of other blocks instead
        left_out += ["gate_proj", "up_proj", "down_proj"]
    found = [paths[layer] for layer in linear if not paths[layer].endswith(tuple(left_out))]
    return [found[0], found[-1]] if found else []
