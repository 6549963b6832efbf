"""How verdicts of a verification are written."""

from typing import Any

from lineal.derivation.hashes import format_hash
from lineal.family.verify import Verdict


def line_of(verdict: Verdict) -> str:
    """One line a model; one more for each fault."""
    if not verdict.ok:
        return "\n".join([f"{verdict.label}: DOES NOT AGREE", *(f"  {fault}" for fault in verdict.faults)])
    if not verdict.recomputed:
        return f"{verdict.label}: ok, hashed ({verdict.why_not})"
    share = f" of {verdict.tensors}" if verdict.recomputed < verdict.tensors else ""
    return f"{verdict.label}: ok, {verdict.recomputed}{share} tensors recomputed, equal"


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "model": verdict.label,
        "model_hash": format_hash(verdict.model_hash),
        "folder": str(verdict.folder) if verdict.folder else None,
        "ok": verdict.ok,
        "faults": list(verdict.faults),
        "tensors": verdict.tensors or None,
        "tensors_recomputed": verdict.recomputed,
        "why_not_recomputed": verdict.why_not or None,
    }
