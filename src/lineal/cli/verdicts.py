"""How verdicts of a verification are written."""

from typing import Any

from lineal.derivation.hashes import format_hash
from lineal.family.trust.verify import Verdict


def lines_of(verdict: Verdict) -> list[str]:
    """One line a model; one more for each fault and each remark."""
    return [f"{verdict.label}: {_said(verdict)}", *(f"  {said}" for said in (*verdict.faults, *verdict.remarks))]


def _said(verdict: Verdict) -> str:
    if not verdict.ok:
        return "DOES NOT AGREE"
    if not verdict.recomputed:
        return f"ok, hashed ({verdict.why_not})"
    share = f" of {verdict.tensors}" if verdict.recomputed < verdict.tensors else ""
    return f"ok, {verdict.recomputed}{share} tensors recomputed, equal"


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "model": format_hash(verdict.model_hash),
        "label": verdict.label,
        "folder": str(verdict.folder) if verdict.folder else None,
        "ok": verdict.ok,
        "faults": list(verdict.faults),
        "remarks": list(verdict.remarks),
        "tensors": verdict.tensors or None,
        "tensors_recomputed": verdict.recomputed,
        "why_not_recomputed": verdict.why_not or None,
    }
