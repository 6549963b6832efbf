"""What the streaming engine is asked to do: a job for each tensor of the child, and a sink that takes the results."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, final

from lineal.checkpoint.codes.ggml import PLAIN, Encoding
from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.engines.stream.gathered import Gathered, Input, stored
from lineal.engines.stream.source import Source
from lineal.methods.streaming import Site, StreamingMethod


@final
@dataclass(frozen=True)
class Job:
    """One tensor: what it comes from, and what makes it. Without a method it is copied.

    unit: elements that are written together; encoding: where it has an importance, windows are whole rows; measured:
    whether what rounding costs is kept with its note.
    """

    planned: Planned
    models: tuple[Input, ...]
    base: Input | None = None
    method: StreamingMethod | None = None
    unit: int = 1
    encoding: Encoding = PLAIN
    measured: bool = False

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The base first, where there is one."""
        return self.models if self.base is None else (self.base, *self.models)

    @cached_property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The distinct stored tensors that are streamed, in order."""
        streamed = (source for source in self.inputs if isinstance(source, Source) and source.is_streamed)
        return tuple(dict.fromkeys(source.spec for source in streamed))

    @cached_property
    def beside(self) -> tuple[TensorSpec, ...]:
        """The distinct stored tensors that weights stored as codes need whole."""
        return tuple(dict.fromkeys(spec for read in self.inputs for one in stored(read) for spec in one.beside))

    @cached_property
    def gathered(self) -> tuple[Gathered, ...]:
        """The matrices that are put together row by row."""
        return tuple(dict.fromkeys(source for source in self.inputs if isinstance(source, Gathered)))

    @property
    def gathered_specs(self) -> tuple[TensorSpec, ...]:
        """The distinct stored tensors that rows are taken from; they are hashed in a reading of their own."""
        return tuple(dict.fromkeys(spec for gathered in self.gathered for spec in gathered.specs))

    @property
    def site(self) -> Site:
        """The tensor as its method sees it."""
        return Site(self.planned.name, self.planned.shape, len(self.models))

    @cached_property
    def bytes_read(self) -> int:
        passes = self.method.passes(self.site) if self.method else 1
        gathered = self.gathered
        whole = sum(spec.byte_length for spec in (*self.gathered_specs, *self.beside))
        averaged = sum(one.bytes_a_sweep for one in gathered if one.rows.is_padded)
        streamed = sum(spec.byte_length for spec in self.specs) + sum(one.bytes_a_sweep for one in gathered)
        return passes * streamed + whole + averaged


class Sink(Protocol):
    """Where the child's tensors go: a checkpoint writer, or nowhere when a derivation is only recomputed."""

    leaves: dict[str, Leaf]
    notes: dict[str, Json]

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        """Take bytes of a tensor, `start` bytes into it."""
        ...

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        """All bytes of a tensor have been written, and hash to this; `note` comes back after a resume."""
        ...


@final
@dataclass
class Recomputation:
    """A sink that keeps hashes and drops bytes."""

    leaves: dict[str, Leaf] = field(default_factory=dict[str, Leaf])
    notes: dict[str, Json] = field(default_factory=dict[str, Json])

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        pass

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        self.leaves[planned.name] = planned.leaf(data_hash)
        self.notes[planned.name] = note
