"""How far apart two models are, as a table: a line for each tensor of a block, over all blocks."""

import math
from collections.abc import Sequence

from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.cli.tables import show, table
from lineal.engines.compare.distances import LARGEST_RANK, Distance


def print_distances(found: Sequence[Distance]) -> None:
    groups: dict[str, list[Distance]] = {}
    for one in found:
        groups.setdefault(_in_any_block(one.name), []).append(one)
    figures = ("changed", "norm", "relative", "entries", "rank")
    measured = table("tensors", right=figures, header_style="dim")
    for name, members in groups.items():
        measured.add_row(name, *_row(members))
    show(measured, soft_wrap=True)


def _in_any_block(name: str) -> str:
    match = BLOCK.fullmatch(name)
    return f"{match['before']}*{match['after']}" if match else name


def _row(members: Sequence[Distance]) -> tuple[str, ...]:
    changed = [one for one in members if one.norm]
    norm = math.sqrt(math.fsum(one.norm**2 for one in members))
    before = math.sqrt(math.fsum((one.norm / one.relative) ** 2 for one in changed if math.isfinite(one.relative)))
    elements = sum(math.prod(one.shape) for one in members)
    entries = math.fsum(one.changed * math.prod(one.shape) for one in members) / max(1, elements)
    ranks = [one.rank for one in members if one.rank is not None]
    rank = "" if not ranks else f"> {LARGEST_RANK}" if max(ranks) > LARGEST_RANK else str(max(ranks))
    relative = f"{norm / before:.3g}" if before else "0" if not norm else "inf"
    return f"{len(changed)} of {len(members)}", f"{norm:.3g}", relative, f"{entries:.3%}", rank
