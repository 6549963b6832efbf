"""The session of a command: the registry it names, opened for as long as the command runs."""

import os
from contextlib import AbstractContextManager

from lineal.api.opened import opened
from lineal.cli.progress_bars import TerminalProgress
from lineal.family.session import Session
from lineal.lineage.database.locate import VARIABLE


def is_named(registry: str | None) -> bool:
    """Whether --registry names it, which may be mistyped; where the environment does, it may be one that is to come."""
    return registry is not None and registry != os.environ.get(VARIABLE)


def open_session(
    registry: str | None, threads: int | None = None, *, must_exist: bool = False, keeps: bool = True
) -> AbstractContextManager[Session]:
    """A session whose progress is drawn on the terminal; see `opened`."""
    return opened(registry, threads, TerminalProgress(), must_exist=must_exist, keeps=keeps)
