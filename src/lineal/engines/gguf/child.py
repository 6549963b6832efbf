"""A child that is one GGUF file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from lineal.checkpoint.headers.gguf_metadata import Metadata, gguf_package
from lineal.checkpoint.package import copy_licence
from lineal.checkpoint.reader import GGUF_SUFFIX
from lineal.checkpoint.written.gguf_layout import lay_out_gguf
from lineal.checkpoint.written.layout import Layout, Planned

_FILE = f"model{GGUF_SUFFIX}"
"""Who publishes the child gives it a name; nothing of it depends on that."""


@final
@dataclass(frozen=True)
class GgufChild:
    """Tensors and metadata in one file; of the donor's folder, if it is one, only the licence comes along."""

    metadata: Metadata
    donor: Path | None

    def lay_out(self, tensors: Sequence[Planned]) -> Layout:
        return lay_out_gguf(tensors, self.metadata, _FILE)

    def write_package(self, folder: Path) -> None:
        if self.donor is not None:
            copy_licence(self.donor, folder)

    def package(self) -> Mapping[str, bytes]:
        return gguf_package(self.metadata)
