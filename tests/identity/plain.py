"""The identity scheme a second time, as plainly as DESIGN.md words it; it imports nothing of lineal.

Canonical JSON is RFC 8785 with ECMAScript's number format; the tree is RFC 6962 by its recursive definition.
"""

import struct
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from blake3 import blake3

_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
STAMPS = ("transformers_version", "_name_or_path", "base_model_name_or_path", "revision")


def canonical(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    match value:
        case int() if abs(value) >= 2**53:
            return f'"{value}"'
        case int() | float():
            return number(float(value))
        case str():
            return string(value)
        case dict():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return "{" + ",".join(f"{string(key)}:{canonical(value[key])}" for key in keys) + "}"
        case list():
            return "[" + ",".join(map(canonical, value)) + "]"
    raise TypeError(value)


def string(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def number(value: float) -> str:
    """ECMA-262's Number::toString: the shortest digits that read back as the same double."""
    if value == 0:
        return "0"
    if value < 0:
        return "-" + number(-value)
    parts = Decimal(repr(value)).normalize().as_tuple()
    digits, exponent = "".join(map(str, parts.digits)), int(parts.exponent)
    point = len(digits) + exponent
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return f"{mantissa}e{point - 1:+d}"


def derivation_id(step: Mapping[str, Any]) -> str:
    return blake3(b"lineal.step.1" + canonical(dict(step)).encode()).hexdigest()


def prefixed(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "little") + raw


def leaf(name: str, dtype: str, shape: Sequence[int], data: bytes) -> bytes:
    content = b"\x00" + prefixed("lineal.tensor.1") + prefixed(name) + prefixed(dtype)
    content += struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", dimension) for dimension in shape)
    return blake3(content + struct.pack("<Q", len(data)) + blake3(data).digest()).digest()


def tree(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1: split at the largest power of two below the count."""
    if not leaves:
        return blake3(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return blake3(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()


def weights(tensors: Mapping[str, tuple[str, Sequence[int], bytes]]) -> bytes:
    """name -> (dtype, shape, data)."""
    return tree([leaf(name, *tensors[name]) for name in sorted(tensors, key=lambda name: name.encode())])


def model(weights_hash: bytes, package: Mapping[str, bytes]) -> bytes:
    """package: path -> content hash."""
    entries = b"".join(prefixed(path) + package[path] for path in sorted(package, key=lambda path: path.encode()))
    return blake3(prefixed("lineal.model.1") + weights_hash + struct.pack("<Q", len(package)) + entries).digest()


KINDS = ("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?", None, None, "<Q", "<q", "<d")
"""How GGUF numbers its kinds of values; 8 is a string, 9 an array."""


def gguf_entry(kind: int, content: Any, items: int = 0) -> bytes:
    """One key-value pair's content hash."""
    if kind != 9:
        return blake3(struct.pack("<I", kind) + gguf_stored(kind, content)).digest()
    stored = b"".join(gguf_stored(items, item) for item in content)
    return blake3(struct.pack("<IIQ", kind, items, len(content)) + stored).digest()


def gguf_stored(kind: int, content: Any) -> bytes:
    if kind == 8:
        return struct.pack("<Q", len(content.encode())) + content.encode()
    return struct.pack(KINDS[kind], content)


def config_hash(config: Mapping[str, Any]) -> bytes:
    kept = {key: value for key, value in config.items() if key not in STAMPS}
    return blake3(canonical(kept).encode()).digest()
