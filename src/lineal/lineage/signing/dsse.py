"""DSSE envelopes (v1): bytes, what they are, and who signed both; read as if an enemy had written them.

What is signed is PAE(payload type, payload), never JSON. A signature of ours carries its public key in a field of its
own, which other readers ignore as the specification tells them to. Like the key id, it says nothing about trust.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lineal.derivation.canonical import Json, canonical_json
from lineal.schema_faults import schema_faults
from lineal.shown import quoted

IN_TOTO = "application/vnd.in-toto+json"
"""The payload type of in-toto statements."""

_STANDARD_ALPHABET = str.maketrans("-_", "+/")


@final
@dataclass(frozen=True)
class EnvelopeSignature:
    """Signed bytes, and hints that nobody has vouched for: the key's id, and the key itself where it is carried."""

    content: bytes
    key_id: str = ""
    public_key: bytes | None = None


@final
@dataclass(frozen=True)
class Envelope:
    payload_type: str
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def signed_bytes(self) -> bytes:
        return pre_authentication_encoding(self.payload_type, self.payload)

    def line(self) -> str:
        """The envelope as JSON, a line of a bundle."""
        written: dict[str, Json] = {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [_signature_json(signature) for signature in self.signatures],
        }
        return canonical_json(written).decode()


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """PAE: what every signature of an envelope is of."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(written: str | bytes) -> Envelope:
    """An envelope from its JSON; a ValueError says what is wrong with it."""
    found = read_as(_Envelope, strict_json(written))
    signatures = tuple(
        EnvelopeSignature(
            _decoded(one.sig, "sig"),
            one.key_id or "",
            None if one.public_key is None else _decoded(one.public_key, "publicKey"),
        )
        for one in found.signatures
    )
    return Envelope(found.payload_type, _decoded(found.payload, "payload"), signatures)


class Foreign(BaseModel):
    """A shape that JSON from elsewhere must have: types as they stand; what nobody asks for is ignored."""

    model_config: ClassVar = ConfigDict(extra="ignore", strict=True)


Shape = TypeVar("Shape", bound=Foreign)


def read_as(shape: type[Shape], written: object) -> Shape:
    """The value in this shape; a ValueError names the first field that does not fit."""
    try:
        return shape.model_validate(written)
    except ValidationError as error:
        fault, *_ = schema_faults(error, shape.model_json_schema(), written, "field")
        raise ValueError(fault) from None


def strict_json(text: str | bytes) -> Any:
    """JSON that every reader reads alike: UTF-8, no key twice, no NaN, no depth that a parser fails on."""
    try:
        decoded = text if isinstance(text, str) else text.decode()
        return json.loads(decoded, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@final
class _Signature(Foreign):
    sig: str
    key_id: Annotated[str | None, Field(alias="keyid", max_length=1024)] = None
    public_key: Annotated[str | None, Field(alias="publicKey", max_length=1024)] = None


@final
class _Envelope(Foreign):
    payload: str = ""
    payload_type: Annotated[str, Field(alias="payloadType", max_length=1024)] = ""
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=64)]


def _signature_json(signature: EnvelopeSignature) -> dict[str, Json]:
    written: dict[str, Json] = {"keyid": signature.key_id, "sig": base64.b64encode(signature.content).decode()}
    if signature.public_key is not None:
        written["publicKey"] = base64.b64encode(signature.public_key).decode()
    return written


def _decoded(written: str, field: str) -> bytes:
    """Both base64 alphabets, as DSSE asks of a reader."""
    try:
        return base64.b64decode(written.translate(_STANDARD_ALPHABET), validate=True)
    except ValueError:
        raise ValueError(f"{field}: not base64") from None


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {quoted(key)} stands there twice")
        found[key] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
