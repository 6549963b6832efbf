"""Which tensors a merge makes, and from which of its models' tensors: names and blocks, before anything is read."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from lineal.checkpoint.names.tensor_names import BLOCK, HEAD, TOKEN_EMBEDDING, is_derived_buffer
from lineal.errors import CheckpointError
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from lineal.shown import quoted

_BEFORE_BLOCKS = re.compile(rf"{TOKEN_EMBEDDING.pattern}|(?:.+\.)?wpe\.weight")
_AFTER_BLOCKS = re.compile(rf"{HEAD.pattern}|(?:.+\.)?(?:norm|ln_f|final_layer_?norm|final_norm)\.(?:weight|bias)")


class Shaped(Protocol):
    """A tensor, as far as its shape says what it is."""

    @property
    def shape(self) -> tuple[int, ...]: ...


@final
@dataclass(frozen=True, slots=True)
class ComposedTensor:
    """One tensor of the child. names: of the part's stretches, in their order, what it is made from."""

    name: str
    part: Part
    names: tuple[str, ...]
    place: float

    @property
    def taken(self) -> tuple[tuple[Stretch, str], ...]:
        """What each of the part's models gives, the base first."""
        return tuple(zip(self.part.stretches, self.names, strict=False))


def composed(recipe: MergeRecipe, models: Sequence[Collection[str]], labels: Sequence[str]) -> list[ComposedTensor]:
    """Every tensor of the child; a name that a model lacks is found by whoever looks it up.

    models: the names of each input's tensors; labels: of the inputs, for messages.
    """
    if not recipe.several:
        return list(whole(recipe.parts[0], models))
    found: list[ComposedTensor] = []
    first = 0
    for part in recipe.parts:
        found += _blocks(part, first, models, labels)
        first += part.count or 0
    return [*_outside(recipe, models, labels), *found]


def whole(part: Part, models: Sequence[Collection[str]]) -> Iterator[ComposedTensor]:
    """All tensors of the first model, under their names; a block's place is that in its own stack of blocks."""
    count = len(part.stretches)
    last: dict[str, int] = {}
    found: list[tuple[str, str, int]] = []
    for name in models[part.stretches[0].model]:
        match = BLOCK.fullmatch(name)
        before, number = (match["before"], int(match["number"])) if match else ("", -1)
        last[before] = max(last.get(before, 0), number)
        found.append((name, before, number))
    for name, before, number in found:
        yield ComposedTensor(name, part, (name,) * count, 0.0 if number < 0 else _place(number, last[before] + 1))


def without_lone_buffers(
    tensors: Iterable[ComposedTensor], models: Sequence[Mapping[str, Shaped]]
) -> list[ComposedTensor]:
    """The tensors but for buffers that follow from the config and do not stand in all of their models alike."""
    return [
        tensor
        for tensor in tensors
        if not is_derived_buffer(tensor.name, models[tensor.part.stretches[0].model][tensor.names[0]].shape)
        or len({_shape(models[stretch.model], name) for stretch, name in tensor.taken}) == 1
    ]


def _shape(model: Mapping[str, Shaped], name: str) -> tuple[int, ...] | None:
    return model[name].shape if name in model else None


def _blocks(
    part: Part, first: int, models: Sequence[Collection[str]], labels: Sequence[str]
) -> Iterator[ComposedTensor]:
    """The tensors of a part's blocks, which begin at block `first` of the child."""
    donor = part.stretches[0]
    stack = _stack(models[donor.model], labels[donor.model])
    for index in range(part.count or 0):
        block = _first_block(donor) + index
        endings = stack.get(block)
        if endings is None:
            raise CheckpointError(f"{labels[donor.model]}: has no block {block}, only 0 to {max(stack)}")
        for before, after in endings:
            names = tuple(f"{before}{_first_block(stretch) + index}{after}" for stretch in part.stretches)
            yield ComposedTensor(f"{before}{first + index}{after}", part, names, _place(index, part.count or 1))


def _outside(recipe: MergeRecipe, models: Sequence[Collection[str]], labels: Sequence[str]) -> Iterator[ComposedTensor]:
    """Embeddings belong to the first part, final norms and output heads to the last."""
    for part, belongs in ((recipe.parts[0], _BEFORE_BLOCKS), (recipe.parts[-1], _AFTER_BLOCKS)):
        donor = part.stretches[0].model
        for name in models[donor]:
            if BLOCK.fullmatch(name):
                continue
            if belongs.fullmatch(name):
                yield ComposedTensor(name, part, (name,) * len(part.stretches), 0.0)
            elif not (is_derived_buffer(name, ()) or _BEFORE_BLOCKS.fullmatch(name) or _AFTER_BLOCKS.fullmatch(name)):
                raise CheckpointError(
                    f"{labels[donor]}: {quoted(name)} is in no block; whether it goes before or after "
                    "them is not known, so its blocks cannot be put together anew"
                )


def _stack(names: Collection[str], label: str) -> Mapping[int, list[tuple[str, str]]]:
    """Block number -> what stands before and after it in the names of its tensors."""
    stack: dict[int, list[tuple[str, str]]] = {}
    stacks: set[str] = set()
    for name in names:
        match = BLOCK.fullmatch(name)
        if match:
            stacks.add(match["before"])
            stack.setdefault(int(match["number"]), []).append((match["before"], match["after"]))
    if len(stacks) != 1:
        found = ", ".join(f"{before}N" for before in sorted(stacks)) or "none"
        raise CheckpointError(f"{label}: one stack of blocks is needed to take slices of, found {found}")
    return stack


def _first_block(stretch: Stretch) -> int:
    return stretch.blocks[0] if stretch.blocks else 0


def _place(index: int, count: int) -> float:
    """From 0 for the first block to 1 for the last, which a lone one is."""
    return index / (count - 1) if count > 1 else 1.0
