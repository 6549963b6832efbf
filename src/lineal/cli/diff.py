"""lineal diff: how two models differ, by their hashes or by their weights."""

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, ModelArgument, RegistryOption, ThreadsOption, model_names
from lineal.cli.terminal import print_json, say

if TYPE_CHECKING:
    from lineal.derivation.canonical import Json
    from lineal.lineage.questions.difference import Difference, TensorChange

EXAMPLES = """
Exit code 0: nothing differs; 1: something does.

Examples:

  lineal diff base code          which tensors changed, by block and role

  lineal diff base code --json   every tensor with its hashes

  lineal diff base code --weights     how far apart they are, and the rank of what changed
"""


def diff(
    before: ModelArgument,
    after: Annotated[str, typer.Argument(autocompletion=model_names, help="Another.")],
    weights: Annotated[bool, typer.Option("--weights", help="Read the weights and measure what changed.")] = False,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two models by the hashes of their tensors and files; with --weights also by what they hold."""
    if weights:
        _measure(before, after, threads, registry, as_json=as_json)
        return
    from lineal.cli.session import is_named, open_session
    from lineal.errors import AnswerIsNo
    from lineal.family.session import known
    from lineal.lineage.questions.difference import difference

    with open_session(registry, threads, must_exist=is_named(registry), keeps=False) as session:
        found = difference(session.registry, known(session, before), known(session, after))
    if as_json:
        print_json(_json(found))
    else:
        say(*_lines(found))
    if not found.is_empty:
        raise AnswerIsNo(f"{before} and {after} differ")


def _measure(before: str, after: str, threads: int | None, registry: str | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from lineal.cli.distances import print_distances
    from lineal.cli.session import is_named, open_session
    from lineal.errors import AnswerIsNo
    from lineal.family.origin.distance import measure
    from lineal.family.session import known

    with open_session(registry, threads, must_exist=is_named(registry), keeps=False) as session:
        found = measure(session, known(session, before), known(session, after))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        print_distances(found)
    if any(one.norm for one in found):
        raise AnswerIsNo(f"{before} and {after} differ")


def _lines(found: "Difference") -> list[str]:
    """The weights, by runs of blocks in which the same changed; then each file beside them that changed."""
    if found.same_weights:
        lines = ["the weights are the same" + (", in another layout" if found.another_layout else "")]
    else:
        changes: dict[int | None, list[tuple[str, str]]] = {}
        for tensor in found.tensors:
            changes.setdefault(tensor.block, []).append((tensor.role, tensor.change.value))
        order = sorted(changes, key=lambda block: -1 if block is None else block)
        runs = groupby(order, key=lambda block: (block is None, changes[block]))
        lines = [f"{_title(list(run))}: {_summary(changed)}" for (_, changed), run in runs]
    return [*lines, *(f"{path}: {change.value}" for path, change in found.package.items())]


def _title(run: list[int | None]) -> str:
    first, last = run[0], run[-1]
    if first is None:
        return "outside blocks"
    return f"block {first}" if first == last else f"blocks {first}-{last}"


def _summary(changes: list[tuple[str, str]]) -> str:
    """How many changed in each way, and which; of those that stayed the same, how many."""
    from lineal.lineage.tables.names import listed

    roles: dict[str, list[str]] = {}
    for role, change in changes:
        roles.setdefault(change, []).append(role)
    same = len(roles.pop("same", ()))
    told = [f"{len(names)} {change} ({listed(names)})" for change, names in sorted(roles.items())]
    return ", ".join([*told, *([f"{same} same"] if same else [])])


def _json(found: "Difference") -> "dict[str, Json]":
    from lineal.derivation.hashes import format_hash

    def side(tensor: "TensorChange", which: str) -> "Json":
        leaf = tensor.before if which == "before" else tensor.after
        if leaf is None:
            return None
        return {"dtype": leaf.dtype, "shape": list(leaf.shape), "data": format_hash(leaf.data_hash)}

    return {
        "same_weights": found.same_weights,
        "another_layout": found.another_layout,
        "tensors": [
            {
                "name": tensor.name,
                "block": tensor.block,
                "role": tensor.role,
                "change": tensor.change.value,
                "before": side(tensor, "before"),
                "after": side(tensor, "after"),
            }
            for tensor in found.tensors
        ],
        "package": {path: change.value for path, change in found.package.items()},
    }
