"""Options of methods that store packed codes by what a text makes of a model: the scheme, and what it leaves."""

from dataclasses import dataclass
from typing import ClassVar

from lineal.methods.calibrated import CalibratedMethod
from lineal.methods.quantize.packed_schemes import HEAD, Patterns, SchemeName, Storage, storage


@dataclass(frozen=True, kw_only=True)
class CalibratedPacking(CalibratedMethod):
    """ignore: layers that stay as they are: names, or re: and a regular expression that begins as a name does. The
    output head, where nothing is said; embeddings and routers always do.
    """

    kind: ClassVar = "quantize"

    scheme: SchemeName
    ignore: Patterns = HEAD

    @property
    def storage(self) -> Storage:
        """How weights are stored."""
        return storage(self.name, self.scheme, None, symmetric=True)
