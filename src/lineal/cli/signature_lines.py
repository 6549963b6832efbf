"""How signatures are written."""

from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash
from lineal.lineage.records.wording import summary
from lineal.lineage.signing.trust import Finding


def subject(model: bytes, derivation_id: bytes | None) -> str:
    """What a signature is of, in a few words."""
    short = format_hash(model)[:11]
    return (
        f"the model {short}"
        if derivation_id is None
        else f"the step {format_hash(derivation_id)[:11]} that gave {short}"
    )


def line_of(finding: Finding) -> str:
    """A line a signature: what it is worth, by which key, and of what or why not."""
    key = f"key {finding.key_id[:16]}" if finding.key_id else "no key named"
    said = [finding.why] if finding.why else []
    if finding.claim is not None and not finding.why:
        step = finding.claim.step
        said.append(subject(finding.claim.model, None if step is None else step.derivation_id))
        said += [summary(step)] if step else []
    return f"{finding.verdict.value:14}  {key:20}  {', '.join(said)}".rstrip()


def finding_json(finding: Finding) -> dict[str, Json]:
    claim = finding.claim
    return {
        "verdict": finding.verdict.value,
        "key": finding.key_id or None,
        "model": None if claim is None else format_hash(claim.model),
        "derivation_id": None if claim is None or claim.step is None else format_hash(claim.step.derivation_id),
        "step": None if claim is None or claim.step is None else claim.step.to_json(),
        "why": finding.why or None,
    }
