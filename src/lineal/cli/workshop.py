"""The workshop of a command: the registry it names, opened for as long as the command runs."""

from collections.abc import Generator
from contextlib import contextmanager

from lineal.cli.terminal import TerminalProgress
from lineal.family.workshop import Workshop
from lineal.lineage.locate import locate
from lineal.lineage.registry import Registry


@contextmanager
def open_workshop(registry: str | None, threads: int | None = None) -> Generator[Workshop]:
    """A workshop on the registry that --registry, the environment or the folders upward name."""
    with Registry.open(locate(registry)) as opened:
        yield Workshop(opened, threads, TerminalProgress())
