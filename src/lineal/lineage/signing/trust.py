"""Signing what the registry knows of a model, and judging what others have signed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.records.records import StepRecord
from lineal.lineage.registry import Registry
from lineal.lineage.signing.dsse import IN_TOTO, Envelope, EnvelopeSignature, pre_authentication_encoding, read_envelope
from lineal.lineage.signing.keys import PrivateKey, PublicKey, key_id, public_key
from lineal.lineage.signing.statements import Claim, model_statement, payload_of, read_claim, step_statement
from lineal.lineage.tables import signatures
from lineal.lineage.tables.signatures import Signature
from lineal.shown import printable


@final
class Verdict(Enum):
    GOOD = "good"
    """One of the keys given has signed this."""
    UNKNOWN_KEY = "unknown key"
    """None of the keys given has; where the signature carries its key, that one has, whosever it is."""
    BAD = "bad"
    """Not what the key has signed: altered, damaged or made up."""
    ANOTHER_MODEL = "another model"
    """Somebody has signed this, but it is not about the model in question."""
    NOT_UNDERSTOOD = "not understood"
    """No envelope, or a statement that lineal cannot read or that does not hold together."""


@final
@dataclass(frozen=True)
class Finding:
    """What is to be said of one signature. key_id: of the key that signed; of a bad one, what it says of its key.

    claim: what was signed, where that is known to be signed; kept: the signature as a registry keeps it, likewise.
    why: in words that a terminal may show.
    """

    verdict: Verdict
    key_id: str = ""
    claim: Claim | None = None
    why: str = ""
    kept: Signature | None = None


def sign_model(registry: Registry, model: bytes, key: PrivateKey) -> Signature:
    """A signature of what a model is made of, as the registry knows it."""
    statement = model_statement(registry.manifest(model), _names(registry, model).get(model))
    return _sign(model, None, statement, key)


def sign_steps(registry: Registry, model: bytes, key: PrivateKey) -> tuple[Signature, ...]:
    """Signatures of the steps that gave a model, except what is merely claimed, inferred or contradicted."""
    signed: list[Signature] = []
    for record in registry.steps_of(model):
        if record.evidence.is_witnessed and not record.reproduces and not _was_brought(record):
            involved = (model, *(used.model_hash for used in record.step.inputs))
            statement = step_statement(record, _names(registry, *involved))
            signed.append(_sign(model, record.step.derivation_id, statement, key))
    return tuple(signed)


def judge(line: str, keys: Sequence[PublicKey] = (), model: bytes | None = None) -> tuple[Finding, ...]:
    """What an envelope's signatures are worth to somebody who trusts these keys and asks about this model."""
    try:
        envelope = read_envelope(line)
    except ValueError as error:
        return (Finding(Verdict.NOT_UNDERSTOOD, why=printable(f"no envelope: {error}")),)
    return tuple(_judged(envelope, signature, keys, model) for signature in envelope.signatures)


def faults(connection: Connection) -> Iterator[str]:
    """Grades without signatures; kept signatures that do not verify, or that are not of what they are kept for."""
    yield from signatures.faults(connection)
    models = signatures.signed_models(connection)
    for kept in (one for found in signatures.of_models(connection, models).values() for one in found):
        about = f"{format_hash(kept.model)[:11]}: the signature by key {kept.key_id[:16]}"
        (found, *more) = judge(kept.envelope, model=kept.model)
        if found.kept is None or more:
            yield f"{about} does not hold: {found.why or found.verdict.value}"
        elif found.kept != kept:
            yield f"{about} is kept for something else than it is of"


def _judged(
    envelope: Envelope, signature: EnvelopeSignature, keys: Sequence[PublicKey], model: bytes | None
) -> Finding:
    signer = next((key for key in keys if key.has_signed(envelope.signed_bytes, signature.content)), None)
    verdict = Verdict.GOOD
    if signer is None:
        given = signature.key_id in {key.key_id for key in keys}
        if signature.public_key is None:
            why = "the key has not signed this" if given else "it carries no key, and none that was given has signed it"
            return Finding(Verdict.BAD if given else Verdict.UNKNOWN_KEY, signature.key_id, why=why)
        try:
            signer = _carried(envelope, signature, signature.public_key)
        except UsageError as error:
            return Finding(Verdict.BAD, signature.key_id, why=str(error))
        verdict = Verdict.UNKNOWN_KEY
    try:
        claim = read_claim(envelope)
    except ValueError as error:
        return Finding(Verdict.NOT_UNDERSTOOD, signer.key_id, why=printable(str(error)))
    if model is not None and claim.model != model:
        return Finding(Verdict.ANOTHER_MODEL, signer.key_id, claim, f"it is of {format_hash(claim.model)}")
    derivation_id = None if claim.step is None else claim.step.derivation_id
    alone = _envelope(envelope.payload_type, envelope.payload, signature.content, signer)
    return Finding(verdict, signer.key_id, claim, kept=Signature(claim.model, derivation_id, signer.key_id, alone))


def _carried(envelope: Envelope, signature: EnvelopeSignature, carried: bytes) -> PublicKey:
    """The key that a signature brings along, if it has signed; whose it is nobody knows."""
    key = public_key(carried)
    if signature.key_id and signature.key_id != key_id(carried):
        raise UsageError("the key that it carries is not the one that it names")
    if not key.has_signed(envelope.signed_bytes, signature.content):
        raise UsageError("the key that it carries has not signed this")
    return key


def _sign(model: bytes, derivation_id: bytes | None, statement: Mapping[str, Json], key: PrivateKey) -> Signature:
    payload = payload_of(statement)
    content = key.sign(pre_authentication_encoding(IN_TOTO, payload))
    return Signature(model, derivation_id, key.public.key_id, _envelope(IN_TOTO, payload, content, key.public))


def _envelope(payload_type: str, payload: bytes, content: bytes, key: PublicKey) -> str:
    return Envelope(payload_type, payload, (EnvelopeSignature(content, key.key_id, key.content),)).line()


def _names(registry: Registry, *models: bytes) -> dict[bytes, str]:
    named = {model: registry.names_of(model) for model in dict.fromkeys(models)}
    return {model: str(names[0]) for model, names in named.items() if names}


def _was_brought(record: StepRecord) -> bool:
    """An original without data: nobody can say how it was made."""
    return record.step.type == "original" and not record.step.data
