"""The method that a scheme is written by, where none is named."""

from collections.abc import Mapping
from typing import Final

from lineal.errors import MethodError
from lineal.methods.method import nearest
from lineal.methods.quantize.bitsandbytes import BITSANDBYTES_SCHEMES
from lineal.methods.quantize.gguf_options import SCHEMES
from lineal.methods.quantize.mix_table import ALIASES
from lineal.methods.quantize.packed_schemes import PACKED_SCHEMES
from lineal.shown import quoted

_METHODS: Final[Mapping[str, str]] = {
    **dict.fromkeys((*SCHEMES, *ALIASES), "gguf"),
    **{name: "static" if scheme.is_static else "rtn" for name, scheme in PACKED_SCHEMES.items()},
    **dict.fromkeys(BITSANDBYTES_SCHEMES, "bitsandbytes"),
}


def method_of_scheme(scheme: object) -> str:
    """Its name; without a scheme it is GGUF, which may be given a size. Raises: MethodError: no scheme of any."""
    if not isinstance(scheme, str):
        return "gguf"
    found = _METHODS.get(scheme.lower())
    if found is None:
        raise MethodError(f"unknown scheme {quoted(scheme)} ({nearest(scheme.lower(), list(_METHODS))})")
    return found
