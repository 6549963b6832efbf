"""A registry opened for as long as one call takes."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from lineal.family.progress import Progress, Silent
from lineal.family.session import Session
from lineal.lineage.database.locate import locate
from lineal.lineage.registry import Registry

RegistryPlace: TypeAlias = str | Path | None
"""A registry's file or URL; None: LINEAL_REGISTRY, else the nearest `.lineal/registry.db` upward, else that at home."""


def registry(place: RegistryPlace = None) -> Registry:
    """The registry at this place, to ask everything it knows; a context manager that closes it.

    Raises RegistryError where there is none: `lineal.open`, `run` and every derivation begin one.
    """
    return Registry.open_existing(locate(place))


@contextmanager
def opened(
    place: RegistryPlace,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    must_exist: bool = False,
    keeps: bool = True,
) -> Generator[Session]:
    """A session on a registry.

    must_exist: for questions, which an empty registry has no answer to; else one is made where none is. keeps: without
    it nothing is to be remembered, and where there is no registry an empty one stands in for it and vanishes.
    """
    found = locate(place)
    with ExitStack() as stack:
        if not (keeps or must_exist) and isinstance(found, Path) and not found.expanduser().exists():
            found = Path(stack.enter_context(TemporaryDirectory(prefix="lineal-registry-")), "registry.db")
        opening = stack.enter_context((Registry.open_existing if must_exist else Registry.open)(found))
        yield Session(opening, threads, progress or Silent())
