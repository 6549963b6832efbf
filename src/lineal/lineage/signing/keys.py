"""Keys that sign and keys that check: Ed25519 and ECDSA on P-256, in PEM files as openssl makes them.

The package `cryptography` is imported only where it is used: it is the extra `sign`. ECDSA signatures are DER over
SHA-256, Ed25519 signatures the plain 64 bytes.
"""

import hashlib
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, final

from lineal.errors import MissingExtra, UsageError
from lineal.lineage.signing.bundle import read_bounded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_LARGEST_KEY_FILE = 64 << 10
_NEEDED = "an Ed25519 or P-256 key is needed"
_PUBLIC = b"-----BEGIN PUBLIC KEY-----"
_PRIVATE = b"PRIVATE KEY-----"


def can_sign() -> bool:
    """Whether the extra `sign` is installed."""
    return find_spec("cryptography") is not None


def require_signing(what: str) -> None:
    """Refuse `what` ("signing", say) where the extra `sign` is not installed."""
    if not can_sign():
        raise MissingExtra(what, "sign")


@final
class PublicKey:
    """A key that checks signatures, known by the SHA-256 of its SubjectPublicKeyInfo."""

    def __init__(self, key: "Ed25519PublicKey | EllipticCurvePublicKey") -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self.content = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> str:
        return key_id(self.content)

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        """Whether the signature is of this content by this key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if isinstance(self._key, EllipticCurvePublicKey):
                self._key.verify(signature, content, ECDSA(SHA256()))
            else:
                self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


@final
class PrivateKey:
    """A key that signs."""

    def __init__(self, key: "Ed25519PrivateKey | EllipticCurvePrivateKey") -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    def sign(self, content: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self._key, EllipticCurvePrivateKey):
            return self._key.sign(content, ECDSA(SHA256()))
        return self._key.sign(content)


def key_id(public_key: bytes) -> str:
    """What a key is called: the SHA-256 of its SubjectPublicKeyInfo (DER), in hex."""
    return hashlib.sha256(public_key).hexdigest()


def public_key(content: bytes) -> PublicKey:
    """A key from its SubjectPublicKeyInfo (DER); a UsageError says what else it is."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        found = load_der_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"not a public key; {_NEEDED}") from None
    return PublicKey(_suitable_public(found))


def read_public_key(path: Path) -> PublicKey:
    """The one public key in a PEM file."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = read_bounded(path, _LARGEST_KEY_FILE, "keys")
    if _PRIVATE in pem:
        raise UsageError(f"{path}: a private key; give the public one: openssl pkey -in {path} -pubout -out FILE")
    if pem.count(_PUBLIC) != 1:
        raise UsageError(f"{path}: {pem.count(_PUBLIC)} public keys in PEM ({_PUBLIC.decode()}), one is needed")
    try:
        found = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path}: cannot be read as a public key; {_NEEDED}") from None
    return PublicKey(_suitable_public(found, f"{path}: "))


def read_public_keys(paths: Iterable[Path]) -> tuple[PublicKey, ...]:
    """The public keys in these files, one in each; of none, none, and the extra is not needed."""
    files = tuple(paths)
    if files:
        require_signing("checking signatures")
    return tuple(read_public_key(path) for path in files)


def read_private_key(path: Path, password: Callable[[], str]) -> PrivateKey:
    """The private key in a PEM file; `password` is asked only where the key is encrypted."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = read_bounded(path, _LARGEST_KEY_FILE, "keys")
    if _PRIVATE not in pem:
        raise UsageError(f"{path}: no private key in PEM (-----BEGIN PRIVATE KEY-----)")
    asked = password().encode() if b"ENCRYPTED" in pem else None
    try:
        found = load_pem_private_key(pem, asked)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        fault = "cannot be read as a private key" if asked is None else "the password does not open this key"
        raise UsageError(f"{path}: {fault}") from None
    return PrivateKey(_suitable_private(found, f"{path}: "))


def _suitable_public(key: object, where: str = "") -> "Ed25519PublicKey | EllipticCurvePublicKey":
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise UsageError(f"{where}{_kind(key)}; {_NEEDED}")


def _suitable_private(key: object, where: str) -> "Ed25519PrivateKey | EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise UsageError(f"{where}{_kind(key)}; {_NEEDED}")


def _kind(key: object) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

    if isinstance(key, EllipticCurvePublicKey | EllipticCurvePrivateKey):
        return f"a key on the curve {key.curve.name}"
    return f"a key of the kind {type(key).__name__.removesuffix('PublicKey').removesuffix('PrivateKey')}"
