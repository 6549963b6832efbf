"""BLAKE3-256 hashes: 32 bytes inside, `b3:` and 64 hexadecimal digits outside."""

import re

from lineal.errors import DerivationError
from lineal.shown import quoted

HASH_LENGTH = 32

_WRITTEN = re.compile(r"b3:[0-9a-f]{64}")


def format_hash(digest: bytes) -> str:
    return f"b3:{check_hash(digest).hex()}"


def parse_hash(text: object) -> bytes:
    if not isinstance(text, str) or not _WRITTEN.fullmatch(text):
        raise DerivationError(f"not a hash: {quoted(text)} (b3: and 64 lower-case hex digits are needed)")
    return bytes.fromhex(text[3:])


def check_hash(digest: object) -> bytes:
    """The digest itself, if it is one: 32 bytes."""
    if not isinstance(digest, bytes) or len(digest) != HASH_LENGTH:
        raise DerivationError(f"a hash is {HASH_LENGTH} bytes, got {quoted(digest)}")
    return digest
