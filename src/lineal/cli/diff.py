"""lineal diff: how two models differ, by their hashes or by their weights."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption

if TYPE_CHECKING:
    from lineal.derivation.canonical import Json
    from lineal.lineage.difference import Change, Difference, TensorChange

EXAMPLES = """
Exit code 0: nothing differs; 1: something does.

Examples:

  lineal diff base code          which tensors changed, by block

  lineal diff base code --json   every tensor with its hashes

  lineal diff base code --weights     how far apart they are, and the rank of what changed
"""


def diff(
    before: Annotated[str, typer.Argument(help="A name, a b3: hash or the path of a known place.")],
    after: Annotated[str, typer.Argument(help="Another.")],
    weights: Annotated[bool, typer.Option("--weights", help="Read the weights and measure what changed.")] = False,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two known models by the hashes of their tensors and files; with --weights also by what they hold."""
    if weights:
        _measure(before, after, threads, registry, as_json=as_json)
        return
    from lineal.errors import AnswerIsNo
    from lineal.lineage.difference import difference
    from lineal.lineage.locate import locate
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        found = difference(opened, opened.resolve(before), opened.resolve(after))
    if as_json:
        from lineal.cli.terminal import print_json

        print_json(_json(found))
    else:
        for line in _lines(found):
            print(line)
    if not found.is_empty:
        raise AnswerIsNo(f"{before} and {after} differ")


def _measure(before: str, after: str, threads: int | None, registry: str | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from lineal.cli.distances import print_distances
    from lineal.cli.terminal import print_json
    from lineal.cli.workshop import open_workshop
    from lineal.errors import AnswerIsNo
    from lineal.family.distance import measure

    with open_workshop(registry, threads, must_exist=True) as workshop:
        found = measure(workshop, workshop.registry.resolve(before), workshop.registry.resolve(after))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        print_distances(found)
    if any(one.norm for one in found):
        raise AnswerIsNo(f"{before} and {after} differ")


def _lines(found: "Difference") -> list[str]:
    """The weights, by block; then each file beside them that changed."""
    from lineal.lineage.difference import Change

    if found.same_weights:
        lines = ["the weights are the same"]
    else:
        blocks = {tensor.block: None for tensor in found.tensors}
        known = sorted(block for block in blocks if block is not None)
        order = [*([None] if None in blocks else []), *known]
        lines = [_block(block, [t for t in found.tensors if t.block == block], Change.SAME) for block in order]
    return [*lines, *(f"{path}: {change.value}" for path, change in found.package.items())]


def _block(block: int | None, tensors: "list[TensorChange]", same: "Change") -> str:
    counts: dict[str, int] = {}
    for tensor in tensors:
        counts[tensor.change.value] = counts.get(tensor.change.value, 0) + 1
    title = "outside blocks" if block is None else f"block {block}"
    changed = [tensor for tensor in tensors if tensor.change is not same]
    if len(changed) == 1:
        return f"{title}: {changed[0].name} {changed[0].change.value}, {len(tensors) - 1} same"
    return f"{title}: {', '.join(f'{count} {change}' for change, count in sorted(counts.items()))}"


def _json(found: "Difference") -> "dict[str, Json]":
    from lineal.derivation.hashes import format_hash

    def side(tensor: "TensorChange", which: str) -> "Json":
        leaf = tensor.before if which == "before" else tensor.after
        if leaf is None:
            return None
        return {"dtype": leaf.dtype, "shape": list(leaf.shape), "data": format_hash(leaf.data_hash)}

    return {
        "same_weights": found.same_weights,
        "tensors": [
            {
                "name": tensor.name,
                "block": tensor.block,
                "change": tensor.change.value,
                "before": side(tensor, "before"),
                "after": side(tensor, "after"),
            }
            for tensor in found.tensors
        ],
        "package": {path: change.value for path, change in found.package.items()},
    }
