"""What a user should know of a quantization although it stands against nothing."""

import re
from collections.abc import Iterator, Mapping, Sequence

from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.engines.quantize.importance import UNWEIGHTED
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mix_table import MIXES
from lineal.methods.quantize.mixes import is_quantized
from lineal.shown import quoted

_SHOWN = 12


def short_rows(
    method: GgufQuantization, types: Mapping[str, str], tensors: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Which matrices are stored in another type since their rows are no whole blocks of the scheme's."""
    if method.has_target or method.scheme is None:
        return
    base = MIXES[method.scheme].base
    block, found = BLOCKS.get(base, (1, 0))[0], dict[int, list[str]]()
    for name, shape in tensors.items():
        if is_quantized(name, shape) and shape[-1] % block:
            found.setdefault(shape[-1], []).append(types[name])
    for columns, kinds in found.items():
        told = ", ".join(sorted(set(kinds)))
        yield f"{len(kinds)} matrices with rows of {columns} are no whole blocks of {base}: stored as {told}"


def without_importances(types: Mapping[str, str], importance: ImportanceMatrix | None) -> Iterator[str]:
    """Which tensors are rounded as without an importance matrix, although there is one."""
    if importance is None:
        return
    weighted = [name for name, kind in types.items() if kind not in UNWEIGHTED]
    if not weighted:
        yield f"{importance.file} changes nothing: importances make no difference to F32, F16, BF16 and Q8_0"
    lacking = [name for name in weighted if name not in importance.entries]
    if lacking:
        yield f"{importance.file} has no importances for {_named(lacking)}: rounded as without"
    foreign = [name for name in importance.entries if name not in types]
    if foreign:
        yield f"{importance.file} has importances for {_named(foreign)}, which the model has not: is it of this model?"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(quoted(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def chosen_types(types: Mapping[str, str]) -> Iterator[str]:
    """The types that a size led to, a line for each part of the blocks."""
    groups: dict[str, dict[str, int]] = {}
    for name, kind in types.items():
        if kind == "F32":
            continue
        counts = groups.setdefault(re.sub(r"\d+", "*", name), {})
        counts[kind] = counts.get(kind, 0) + 1
    for group, counts in groups.items():
        told = ", ".join(f"{kind} {count}" if len(counts) > 1 else kind for kind, count in sorted(counts.items()))
        yield f"{group}: {told}"
