"""The session of a command: the registry it names, opened for as long as the command runs."""

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lineal.cli.progress_bars import TerminalProgress
from lineal.family.session import Session
from lineal.lineage.database.locate import VARIABLE, locate
from lineal.lineage.registry import Registry


def is_named(registry: str | None) -> bool:
    """Whether --registry names it, which may be mistyped; where the environment does, it may be one that is to come."""
    return registry is not None and registry != os.environ.get(VARIABLE)


@contextmanager
def open_session(
    registry: str | None, threads: int | None = None, *, must_exist: bool = False, keeps: bool = True
) -> Generator[Session]:
    """A session on the registry that --registry, the environment or the folders upward name.

    must_exist: for questions, which an empty registry has no answer to; else one is made where none is. keeps: without
    it nothing is to be remembered, and where there is no registry an empty one stands in for it and vanishes.
    """
    place = locate(registry)
    with ExitStack() as stack:
        if not (keeps or must_exist) and isinstance(place, Path) and not place.expanduser().exists():
            place = Path(stack.enter_context(TemporaryDirectory(prefix="lineal-registry-")), "registry.db")
        opened = stack.enter_context((Registry.open_existing if must_exist else Registry.open)(place))
        yield Session(opened, threads, TerminalProgress())
