"""How long work tells what it is doing; the command line draws it, a library call need not listen."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol, TypeAlias, final

Unit: TypeAlias = Literal["bytes", "steps", "windows"]
Advance: TypeAlias = Callable[[int], None]


class Progress(Protocol):
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
        return nullcontext(lambda _: None)
