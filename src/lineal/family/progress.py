"""How long work tells what it is doing; the command line draws it, a library call need not listen."""

from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias, final

Unit: TypeAlias = Literal["bytes", "blocks", "steps", "tokens"]


class Advance(Protocol):
    def __call__(self, amount: int, note: str = "", /) -> None:
        """So much more is done; the note, such as the present loss, stands beside the bar."""
        ...


class Progress(Protocol):
    """What long work tells of itself: lines, and tasks of a known size. Any object with these two methods will do."""

    def say(self, message: str) -> None:
        """One line that stays."""
        ...

    def task(self, title: str, total: int, unit: Unit) -> AbstractContextManager[Advance]:
        """Work of a known size; call what it gives with each amount done. Thread-safe."""
        ...


@final
class Silent:
    """Nobody is listening."""

    def say(self, message: str) -> None:
        pass

    def task(self, title: str, total: int, unit: Unit) -> AbstractContextManager[Advance]:
        return nullcontext(_ignore)


def _ignore(amount: int, note: str = "", /) -> None:
    pass


@final
class StepProgress:
    """A task whose size is known once the first of it is done: called with (done, total) or (done, total, loss)."""

    def __init__(self, progress: Progress, title: str, unit: Unit) -> None:
        self._progress, self._title = progress, title
        self._unit: Unit = unit
        self._stack = ExitStack()
        self._advance: Advance | None = None
        self._reported = 0

    def __call__(self, done: int, total: int, loss: float | None = None) -> None:
        if self._advance is None:
            self._advance = self._stack.enter_context(self._progress.task(self._title, total, self._unit))
        self._advance(done - self._reported, "" if loss is None else f"loss {loss:.3f}")
        self._reported = done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
