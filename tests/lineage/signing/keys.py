"""Keys and envelopes made with the library `cryptography` and by hand, never by lineal's own code."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

KINDS = ("ed25519", "p256")


def make_key(kind: str) -> Any:
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "k256": ec.SECP256K1()}
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(curves[kind])


def write_private(path: Path, key: Any, password: str | None = None) -> Path:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return path


def write_public(path: Path, key: Any) -> Path:
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def der(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def id_of(key: Any) -> str:
    return hashlib.sha256(der(key)).hexdigest()


def sign(key: Any, content: bytes) -> bytes:
    return key.sign(content) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(content, ec.ECDSA(SHA256()))


def verify(key: Any, signature: bytes, content: bytes) -> None:
    """Raises InvalidSignature where it does not hold."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, content)
    else:
        public.verify(signature, content, ec.ECDSA(SHA256()))


def pae(payload_type: str, payload: bytes) -> bytes:
    """The specification's formula, in its own terms."""
    parts = (b"DSSEv1", str(len(payload_type.encode())), payload_type, str(len(payload)), payload)
    return b" ".join(part if isinstance(part, bytes) else part.encode() for part in parts)


def envelope(
    payload: bytes, *keys: Any, payload_type: str = "application/vnd.in-toto+json", **fields: Any
) -> dict[str, Any]:
    """A signed envelope; fields: more for each signature, None leaves one of ours out."""
    signatures = [
        {
            "keyid": id_of(key),
            "sig": base64.b64encode(sign(key, pae(payload_type, payload))).decode(),
            "publicKey": base64.b64encode(der(key)).decode(),
            **fields,
        }
        for key in keys
    ]
    kept = [{name: value for name, value in one.items() if value is not None} for one in signatures]
    return {"payload": base64.b64encode(payload).decode(), "payloadType": payload_type, "signatures": kept}


def line(payload: bytes | Mapping[str, Any], *keys: Any, **fields: Any) -> str:
    """The same as a line of a bundle; a payload that is no bytes is written as JSON."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return json.dumps(envelope(content, *keys, **fields))
