"""What is done to weights, pure: one paper, one file.

For methods of other packages: `Method`, `StreamingMethod` and what its sweeps are made of are here by name.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lineal.shown import quoted

if TYPE_CHECKING:
    from lineal.methods.method import Method, Reproducibility
    from lineal.methods.streaming import Block, Emit, Gather, Sample, Site, StreamingMethod

__all__ = ["Block", "Emit", "Gather", "Method", "Reproducibility", "Sample", "Site", "StreamingMethod"]

_HOME = {name: "method" if name in ("Method", "Reproducibility") else "streaming" for name in __all__}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lineal.methods' has no attribute {quoted(name)}")
    return getattr(import_module(f"lineal.methods.{_HOME[name]}"), name)
