"""Signatures and the files they travel in: signing a model where it lies, and taking along what others have signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from lineal.checkpoint.content.hashing import hash_checkpoint
from lineal.checkpoint.reader import is_lone_file, open_checkpoint
from lineal.checkpoint.written.output_file import refuse_existing
from lineal.derivation.hashes import format_hash
from lineal.errors import AnswerIsNo, CheckpointError, MissingExtra
from lineal.family.progress import Progress
from lineal.family.session import Session, register
from lineal.lineage.signing.bundle import bundle_path, read_bundle, update_bundle
from lineal.lineage.signing.keys import PrivateKey, PublicKey, can_sign
from lineal.lineage.signing.trust import Finding, Verdict, judge, sign_model, sign_steps
from lineal.lineage.tables.signatures import Signature


@final
@dataclass(frozen=True)
class Signed:
    """What was signed, and the file that holds it."""

    signatures: tuple[Signature, ...]
    file: Path


def sign(session: Session, reference: str, key: PrivateKey, *, steps: bool = True, out: Path | None = None) -> Signed:
    """Sign a model, and the steps that gave it: into the file beside it, or one of its own, and into the registry."""
    if out is not None:
        refuse_existing(out)
    local = session.identify(session.find(reference))
    model, registry = register(session, local), session.registry
    signed = (sign_model(registry, model, key), *(sign_steps(registry, model, key) if steps else ()))
    file = bundle_path(local.path) if out is None else out
    update_bundle(file, lambda lines: [*_without(lines, signed), *(signature.envelope for signature in signed)])
    registry.keep_signatures(signed, {key.public.key_id})
    return Signed(signed, file)


def signatures_beside(
    session: Session, place: Path, model: bytes, keys: Sequence[PublicKey] = ()
) -> tuple[Finding, ...]:
    """What the signatures that lie beside a model are worth; bad ones, and keys that have not signed, are refused."""
    file = bundle_path(place)
    if not file.is_file():
        found: tuple[Finding, ...] = ()
    elif can_sign():
        found = judge_all(read_bundle(file), keys, model)
    else:
        session.progress.say(f"{file}: neither checked nor kept: {MissingExtra('checking signatures', 'sign')}")
        return ()
    for finding in found:
        if finding.verdict is Verdict.BAD:
            raise CheckpointError(f"{file}: a signature does not hold: {finding.why}; without the file it can be added")
    require_signed(found, keys, str(place))
    return found


def take_signatures(
    session: Session, place: Path, model: bytes, found: Sequence[Finding], keys: Sequence[PublicKey] = ()
) -> None:
    """Keep the signatures of a model and of its known steps; what those of the keys given have signed is trusted."""
    known = {None, *(record.step.derivation_id for record in session.registry.steps_of(model))}
    for finding in found:
        if finding.kept is None:
            session.progress.say(f"{place}: a signature was left behind, {finding.verdict.value}: {finding.why}")
        elif finding.kept.derivation_id not in known:
            step = format_hash(finding.kept.derivation_id or b"")[:11]
            session.progress.say(f"{place}: a signature was left behind: it is of the step {step}, not known here")
    kept = [finding.kept for finding in found if finding.kept and finding.kept.derivation_id in known]
    session.registry.keep_signatures(kept, {key.key_id for key in keys})
    foreign = dict.fromkeys(one.key_id[:16] for one in kept if one.key_id not in {key.key_id for key in keys})
    if foreign:
        named = ", ".join(foreign)
        session.progress.say(f"{place}: signed by {named}, kept but not trusted: --key names a key that you trust")


def verify_signatures(session: Session, reference: str, keys: Sequence[PublicKey]) -> tuple[Finding, ...]:
    """What the registry's signatures of a model are worth."""
    model = session.registry.resolve(reference)
    return judge_all([kept.envelope for kept in session.registry.signatures_of(model)], keys, model)


def verify_place(
    place: Path, keys: Sequence[PublicKey], progress: Progress, threads: int | None
) -> tuple[Finding, ...]:
    """What the signatures beside a model are worth, its content being hashed anew; no registry is asked."""
    checkpoint = open_checkpoint(place)
    lines = read_bundle(bundle_path(place)) if bundle_path(place).exists() else ()
    if not lines:
        return ()
    with progress.task(f"hashing {place}", checkpoint.tensor_bytes, "bytes") as advance:
        hashes = hash_checkpoint(checkpoint, threads=threads, bytes_read=advance)
    return judge_all(lines, keys, hashes.manifest.model_hash)


def judge_all(lines: Sequence[str], keys: Sequence[PublicKey], model: bytes | None) -> tuple[Finding, ...]:
    return tuple(finding for line in lines for finding in judge(line, keys, model))


def is_model_place(place: Path) -> bool:
    """Whether a path is that of a model, and not of a file of signatures."""
    return place.is_dir() or is_lone_file(place)


def require_signed(found: Sequence[Finding], keys: Sequence[PublicKey], what: str) -> None:
    """Each of the keys has signed the model or a step that gave it, or the answer is no."""
    signers = {finding.key_id for finding in found if finding.verdict is Verdict.GOOD}
    missing = [key.key_id[:16] for key in keys if key.key_id not in signers]
    if missing:
        raise AnswerIsNo(f"{what}: not signed by {', '.join(missing)}")


def _without(lines: Sequence[str], signed: Sequence[Signature]) -> list[str]:
    """The lines of a file but those that say the same by the same key."""
    anew = {(signature.model, signature.derivation_id, signature.key_id) for signature in signed}

    def is_known(line: str) -> bool:
        kept = [finding.kept for finding in judge(line)]
        return bool(kept) and all(one and (one.model, one.derivation_id, one.key_id) in anew for one in kept)

    return [line for line in lines if not is_known(line)]
