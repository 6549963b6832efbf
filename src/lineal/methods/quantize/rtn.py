"""Round to nearest: each weight becomes the nearest number that its scheme has, by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

from lineal.errors import MethodError
from lineal.methods.method import Reproducibility
from lineal.methods.quantize.packed_schemes import HEAD, GroupSize, Patterns, SchemeName, Storage, storage
from lineal.methods.streaming import KEEP, Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class RoundToNearest(StreamingMethod):
    """Write the linear layers of a model as codes and scales, as vLLM and transformers read them.

    A folder in compressed-tensors' format. A scale is made from the largest magnitude, or the range, of what shares it.

    scheme: what weights are stored as. w2a16 to w8a16: whole numbers of so many bits; w8a8: int8, for layers whose
        inputs are int8, too; fp8_dynamic and fp8_block: float8, likewise; nvfp4 and mxfp4: four-bit floats.
    group_size: columns of a row that share a scale: 32, 64 or 128; channel: a whole row; tensor: a whole matrix.
        128 where nothing is said. Of w2a16 to w8a16 alone.
    symmetric: whether codes are spread evenly around 0; else over the range that the weights have, with a zero point a
        group. Of w2a16 to w8a16 alone.
    ignore: layers that stay as they are: names, or re: and a regular expression that begins as a name does. The output
        head, where nothing is said; embeddings and routers always do.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "rtn"
    paper: ClassVar = "https://github.com/vllm-project/compressed-tensors"
    reproducibility: ClassVar = Reproducibility.EXACT

    scheme: SchemeName
    group_size: GroupSize | None = None
    symmetric: bool = True
    ignore: Patterns = HEAD

    def __post_init__(self) -> None:
        if self.storage.scheme.has_groups:  # what nobody says is recorded, too
            object.__setattr__(self, "group_size", self.storage.span)
        if self.storage.scheme.is_static:
            raise MethodError(
                f"rtn: {self.scheme} stores scales of what layers multiply, which only texts tell: take method static; "
                f"{_WITHOUT_TEXTS[self.scheme]} needs none"
            )

    @property
    def storage(self) -> Storage:
        return storage(self.name, self.scheme, self.group_size, symmetric=self.symmetric)

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"rtn: one model is quantized at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        """The values pass as they are: what rounds them is what they are stored as."""
        yield KEEP


_WITHOUT_TEXTS = {"fp8": "fp8_dynamic", "w8a8_static": "w8a8"}
