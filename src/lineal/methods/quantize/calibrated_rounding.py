"""What methods share that round weights to codes by what a text makes of a model: their options, and their order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lineal.errors import MethodError
from lineal.methods.calibrated import SharedInput
from lineal.methods.quantize.calibrated_packing import CalibratedPacking
from lineal.methods.quantize.grid import Grid
from lineal.methods.quantize.packed_schemes import GroupSize, SchemeName, Storage, storage

_HELD = 1 << 29
"""Bytes of second moments that are gathered side by side, if one is not more than that."""


@dataclass(frozen=True, kw_only=True)
class CalibratedRounding(CalibratedPacking):
    """scheme: what is stored, as vLLM's tools call it: whole numbers of 2 to 8 bits.

    group_size: columns that share a scale: 32, 64, 128 (where nothing is said), or channel: all of a row.
    symmetric: whether there are no zero points.

    An output head that is not ignored is rounded to nearest.
    """

    scheme: SchemeName = "w4a16"
    group_size: GroupSize | None = None
    symmetric: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_storage(self.storage)

    @property
    def storage(self) -> Storage:
        """How weights are stored."""
        return storage(self.name, self.scheme, self.group_size, symmetric=self.symmetric)

    def grid(self, scale_dtype: str) -> Grid:
        """What rows are rounded to. scale_dtype: what the model's own numbers are stored as."""
        return self.storage.grid(scale_dtype)

    def _check_storage(self, storage: Storage) -> None:
        if storage.scheme.number != "int" or storage.span == "tensor":
            raise MethodError(
                f"{self.name}: rounds to whole numbers with scales of groups or rows, as w4a16 has; "
                f"{self.scheme} with group_size {storage.span} is for rtn"
            )


def stages(shared_inputs: Sequence[SharedInput]) -> list[list[SharedInput]]:
    """Inputs that can be gathered at once, as none of their layers stands before another's: of all experts' ups, say.

    Those of a stage are no more than memory is for; a stage may be gathered in several parts.
    """
    met = Counter[int]()
    found: dict[tuple[int, int], list[SharedInput]] = {}
    for number, shared in enumerate(shared_inputs):
        expert = shared.expert
        key = (number, 0) if expert is None else (len(shared_inputs), met[expert])
        found.setdefault(key, []).append(shared)
        met.update([] if expert is None else [expert])
    return [part for key in sorted(found) for part in _parts(found[key])]


def _parts(stage: Sequence[SharedInput]) -> Iterator[list[SharedInput]]:
    """A float32 second moment of every input of a part is in memory at once."""
    part, held = list[SharedInput](), 0
    for shared in stage:
        size = 4 * shared.columns**2
        if part and held + size > _HELD:
            yield part
            part, held = [], 0
        part.append(shared)
        held += size
    yield part
