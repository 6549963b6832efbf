"""The workshop of a command: the registry it names, opened for as long as the command runs."""

from collections.abc import Generator
from contextlib import contextmanager

from lineal.cli.terminal import TerminalProgress
from lineal.family.workshop import Workshop
from lineal.lineage.locate import locate
from lineal.lineage.registry import Registry


@contextmanager
def open_workshop(registry: str | None, threads: int | None = None, *, must_exist: bool = False) -> Generator[Workshop]:
    """A workshop on the registry that --registry, the environment or the folders upward name.

    must_exist: for questions, which an empty registry has no answer to; else one is made where none is.
    """
    with (Registry.open_existing if must_exist else Registry.open)(locate(registry)) as opened:
        yield Workshop(opened, threads, TerminalProgress())
