"""A streamed derivation before a weight is read: its jobs, and what will surround the tensors of the child."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, final

from lineal.checkpoint.package import content_hash, copy_licence, copy_package, edited_hash, package_paths
from lineal.checkpoint.written.layout import Layout, Planned, lay_out
from lineal.engines.stream.compound import Compound, Task, tensors_of
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.packed import Packed
from lineal.engines.stream.tensor_pass import working_bytes


class Child(Protocol):
    """What a child is beside its tensors: the form of its files, and the package that gives the tensors meaning."""

    def lay_out(self, tensors: Sequence[Planned]) -> Layout: ...

    def write_package(self, folder: Path) -> None:
        """Fill in what stands beside the weight files."""
        ...

    def package(self) -> Mapping[str, bytes]:
        """The content hash of each package entry, as the child's identity has them."""
        ...


@final
@dataclass(frozen=True)
class OrdinaryFolder:
    """A child in safetensors, with config and tokenizer as they stand in the donor's folder."""

    donor: Path

    def lay_out(self, tensors: Sequence[Planned]) -> Layout:
        return lay_out(tensors)

    def write_package(self, folder: Path) -> None:
        copy_package(self.donor, folder)

    def package(self) -> Mapping[str, bytes]:
        return {path: content_hash(self.donor, path) for path in package_paths(self.donor)}


@final
@dataclass(frozen=True)
class EditedFolder:
    """A donor's package but for some files: `replaced` have another content, `removed` do not come along."""

    donor: Path
    replaced: Mapping[str, bytes]
    removed: frozenset[str] = frozenset()

    def lay_out(self, tensors: Sequence[Planned]) -> Layout:
        return lay_out(tensors)

    def write_package(self, folder: Path) -> None:
        copy_package(self.donor, folder, without={*self.replaced, *self.removed})
        _write(folder, self.replaced)

    def package(self) -> Mapping[str, bytes]:
        left = (path for path in package_paths(self.donor) if path not in {*self.replaced, *self.removed})
        edited = {path: edited_hash(path, content) for path, content in self.replaced.items()}
        return {**{path: content_hash(self.donor, path) for path in left}, **edited}


@final
@dataclass(frozen=True)
class WrittenFolder:
    """A child in safetensors whose donor had no such files: all are written, but for a licence in a folder."""

    files: Mapping[str, bytes]
    licence: Path | None

    def lay_out(self, tensors: Sequence[Planned]) -> Layout:
        return lay_out(tensors)

    def write_package(self, folder: Path) -> None:
        if self.licence is not None:
            copy_licence(self.licence, folder)
        _write(folder, self.files)

    def package(self) -> Mapping[str, bytes]:
        return {path: edited_hash(path, content) for path, content in self.files.items()}


@final
@dataclass(frozen=True)
class StreamPlan:
    """A derivation before a weight is read: one task a tensor or packed weight, and what surrounds them."""

    jobs: tuple[Task, ...]
    child: Child
    remarks: tuple[str, ...] = ()
    """What a user should know of the parents, although it stands against nothing."""
    rules: int = 1
    """Under which the step is made: above 1 only where the child is another than earlier lineals made."""

    @property
    def bytes_read(self) -> int:
        return sum(job.bytes_read for job in self.jobs)

    def working_bytes(self, threads: int) -> int:
        """The most that so many threads hold at once, beside the program itself."""
        held = map(working_bytes, self.jobs)
        return sum(sorted(held, reverse=True)[:threads])

    def each(self, changed: Callable[[Job], Job]) -> "StreamPlan":
        """The plan with every job changed."""

        def one(task: Task) -> Task:
            match task:
                case Job():
                    return changed(task)
                case Compound():
                    return replace(task, parts=tuple(map(changed, task.parts)))
                case Packed():
                    return replace(task, job=changed(task.job))

        return replace(self, jobs=tuple(map(one, self.jobs)))

    @property
    def planned(self) -> tuple[Planned, ...]:
        return tuple(tensor for task in self.jobs for tensor in tensors_of(task))


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
