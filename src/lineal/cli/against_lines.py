"""How a GGUF that was made again from its parent is told of."""

from typing import Any

from lineal.family.trust.against import Against, Answer
from lineal.shown import quoted

_MOST = 20


def against_lines(found: Against) -> list[str]:
    """The answer in a line; one more for each tensor that differs, and for each remark."""
    differing = sorted(found.differing, key=lambda tensor: tensor.share)
    lines = [f"{found.label}: {_said(found)}"]
    for tensor in differing[:_MOST]:
        near = f", its error {tensor.error / tensor.expected:.2f} times as large" if tensor.expected else ""
        what = f"{tensor.equal:,} of {tensor.blocks:,} blocks equal"
        lines.append(f"  {quoted(tensor.name)} ({tensor.dtype}): {what}{near}")
    if len(differing) > _MOST:
        lines.append(f"  and {len(differing) - _MOST} more tensors; --json lists all")
    return [*lines, *(f"  {remark}" for remark in found.remarks)]


def _said(found: Against) -> str:
    if found.answer is Answer.REPLAYED:
        kept = "" if found.recorded else "; not recorded: lineal add both models first"
        return f"replayed, {len(found.tensors)} tensors of {found.parent} made again, equal, {found.why}{kept}"
    equal = len(found.tensors) - len(found.differing)
    told = "undecided" if found.answer is Answer.UNDECIDED else "DIFFERS"
    return f"{told}, {equal} of {len(found.tensors)} tensors equal to those of {found.parent}: {found.why}"


def against_json(found: Against) -> dict[str, Any]:
    return {
        "label": found.label,
        "parent": found.parent,
        "answer": found.answer.value,
        "why": found.why,
        "variants": [{"source": one.source, "fused": one.fused} for one in found.variants],
        "recorded": found.recorded,
        "remarks": list(found.remarks),
        "tensors": [
            {
                "name": tensor.name,
                "type": tensor.dtype,
                "blocks": tensor.blocks,
                "equal": tensor.equal,
                "relative_squared_error": tensor.error,
                "expected": tensor.expected if tensor.is_made else None,
            }
            for tensor in found.tensors
        ],
    }
