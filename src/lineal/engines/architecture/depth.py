"""The stack of blocks of a model: which tensors belong to which block, and what its configuration says of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.engines.architecture.block_table import TRAITS
from lineal.engines.architecture.block_traits import Trait
from lineal.errors import MethodError
from lineal.shown import quoted

_COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
"""How configurations call the number of blocks."""

Taken: TypeAlias = tuple[Mapping[str, Any], Sequence[int]]
"""A configuration, and the blocks that are taken from its model, in order."""

AS_LISTED, AS_MEANT = 1, 2
"""The rules that a configuration is cut by: its lists alone, or what its blocks are."""


def block_count(config: Mapping[str, Any], model: str) -> int:
    """How many blocks a model of this configuration has."""
    key = _count_key(config)
    blocks = config.get(key)
    if not isinstance(blocks, int) or blocks < 1:
        raise MethodError(f"{model}: {key} is {quoted(blocks)} in its configuration; layers cannot be told apart")
    return blocks


def shallower_names(names: Iterable[str], kept: Sequence[int], model: str) -> dict[str, str]:
    """Name in the parent -> name in the child, of the tensors outside blocks and of the blocks kept, in order."""
    places = {block: place for place, block in enumerate(kept)}
    found: set[int] = set()
    renamed: dict[str, str] = {}
    for name in names:
        match = BLOCK.fullmatch(name)
        if match is None:
            renamed[name] = name
            continue
        found.add(int(match["number"]))
        if int(match["number"]) in places:
            renamed[name] = f"{match['before']}{places[int(match['number'])]}{match['after']}"
    missing = [block for block in kept if block not in found]
    if missing:
        raise MethodError(f"{model}: no tensors of the block {missing[0]}; its layers cannot be cut")
    return renamed


def shallower_config(config: Mapping[str, Any], kept: Sequence[int], model: str) -> dict[str, Any]:
    """The configuration with the blocks kept, each being what it was."""
    return stacked_config(config, [(config, kept)], model)


def stacked_config(config: Mapping[str, Any], taken: Sequence[Taken], model: str) -> dict[str, Any]:
    """The configuration of a model made of these blocks, one after the other, each being what it is where it stands.

    What a configuration leaves to a block's place is written out; a MethodError where no key of it can say so.
    """
    stacked, unsaid = _by_lists(config, taken, model)
    if all(source == config for source, _ in taken) and _numbers(taken) == list(range(block_count(config, model))):
        return stacked  # every block stands where it stood
    traits = _traits(taken, model)
    for key in sorted(unsaid - {trait.key for trait in traits}):
        raise MethodError(f"{model}: {key} has an entry for each block in one configuration and not in another")
    for trait in traits:
        wanted = [kind for source, kept in taken for kind in _kinds(trait, source, kept, model)]
        if not _says(trait, stacked, wanted):
            stacked = _said(trait, stacked, wanted)
        if _found(trait, stacked, model) != wanted:
            blocks = ", ".join(map(str, _numbers(taken)))
            raise MethodError(
                f"{model}: {trait.what} follows a block's place in a {config.get('model_type')}, whose configuration "
                f"cannot say it of the blocks {blocks} in this order; they cannot be cut or put together so"
            )
    return stacked


def rules_of_stack(config: Mapping[str, Any], taken: Sequence[Taken], model: str) -> int:
    """The rules under which the configuration came to be as it is: the lists alone where they make no difference."""
    listed, unsaid = _by_lists(config, taken, model)
    return AS_LISTED if not unsaid and stacked_config(config, taken, model) == listed else AS_MEANT


def check_blocks(config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], model: str) -> None:
    """Blocks that are alike by their configuration must hold alike tensors; a MethodError where they do not."""
    held: dict[int, dict[str, list[int]]] = {}
    for name, shape in shapes.items():
        match = BLOCK.fullmatch(name)
        if match:
            held.setdefault(int(match["number"]), {})[match["before"] + match["after"]] = list(shape)
    like: dict[tuple[str, ...], int] = {}
    for block, kind in enumerate(_kinds_of_blocks(config, model)):
        first = like.setdefault(kind, block)
        ours, theirs = held.get(block, {}), held.get(first, {})
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        if differing:
            found = " and ".join(str(side.get(differing[0], "none")) for side in (theirs, ours))
            raise MethodError(
                f"{model}: by its configuration its blocks {first} and {block} are alike, but "
                f"{quoted(differing[0])} is {found} there; they cannot be cut or put together anew"
            )


def _kinds_of_blocks(config: Mapping[str, Any], model: str) -> list[tuple[str, ...]]:
    """What each block is, as far as it follows from its place; nothing where that is not known."""
    blocks = range(block_count(config, model))
    traits = TRAITS.get(str(config.get("model_type")))
    if traits is None:
        return []
    found = [_kinds(trait, config, blocks, model) for trait in traits]
    return [tuple(str(kinds[block]) for kinds in found) for block in blocks]


def _count_key(config: Mapping[str, Any]) -> str:
    return next((key for key in _COUNTS if key in config), _COUNTS[0])


def _numbers(taken: Sequence[Taken]) -> list[int]:
    return [block for _, kept in taken for block in kept]


def _by_lists(config: Mapping[str, Any], taken: Sequence[Taken], model: str) -> tuple[dict[str, Any], set[str]]:
    """The configuration with every list of an entry a block cut alike; and the lists that not every model has."""
    blocks = block_count(config, model)
    cut: dict[str, Any] = {**config, _count_key(config): len(_numbers(taken))}
    unsaid: set[str] = set()
    for key, value in config.items():
        if "layer" not in key or not isinstance(value, list) or len(value) != blocks:
            continue
        if all(isinstance(source.get(key), list) and max(kept) < len(source[key]) for source, kept in taken):
            cut[key] = [source[key][block] for source, kept in taken for block in kept]
        else:
            unsaid.add(key)
    return cut, unsaid


def _traits(taken: Sequence[Taken], model: str) -> tuple[Trait, ...]:
    types = list(dict.fromkeys(source.get("model_type") for source, _ in taken))
    if len(types) != 1:
        raise MethodError(f"{model}: blocks of a {types[0]} and of a {types[1]} make no model together")
    found = TRAITS.get(str(types[0]))
    if found is None:
        raise MethodError(
            f"{model}: how the blocks of a model of type {quoted(types[0])} depend on their place is not known, "
            "so they cannot be cut or put together anew"
        )
    return found


def _kinds(trait: Trait, config: Mapping[str, Any], kept: Sequence[int], model: str) -> list[Any]:
    found, blocks = _found(trait, config, model), block_count(config, model)
    if len(found) != blocks:
        raise MethodError(f"{model}: its configuration tells {trait.what} of {len(found)} blocks, and it has {blocks}")
    beyond = next((block for block in kept if block >= blocks), None)
    if beyond is not None:
        raise MethodError(f"{model}: its configuration says it has {blocks} blocks; there is no block {beyond}")
    return [found[block] for block in kept]


def _found(trait: Trait, config: Mapping[str, Any], model: str) -> list[Any]:
    try:
        return trait.of(config, block_count(config, model))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise MethodError(f"{model}: its configuration does not tell {trait.what}: {error}") from None


def _says(trait: Trait, config: Mapping[str, Any], wanted: Sequence[Any]) -> bool:
    """Whether nothing is left to the place, or to be said of it."""
    found = trait.of(config, len(wanted))
    written = trait.key is None or bool(config.get(trait.key)) or all(kind == wanted[0] for kind in wanted)
    return written and found == wanted


def _said(trait: Trait, config: Mapping[str, Any], wanted: Sequence[Any]) -> dict[str, Any]:
    said = {} if trait.said is None else trait.said(wanted)
    kept = {key: value for key, value in config.items() if key not in said or said[key] is not None}
    return {**kept, **{key: value for key, value in said.items() if value is not None}}
