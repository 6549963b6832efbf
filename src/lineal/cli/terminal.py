"""What the terminal shows: progress and remarks on stderr, results on stdout."""

import json
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, final

from lineal.cli.progress_lines import ProgressLines
from lineal.family.progress import Advance, Unit

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_OF_FILES = 500


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def console() -> "Console":
    """Stdout for tables and trees: as wide as a terminal is; in a file or a pipe no line is wrapped."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)


@final
class TerminalProgress:
    """Bars with rate and time left on a terminal; a line now and then where stderr is none."""

    def say(self, message: str) -> None:
        print(message, file=sys.stderr)

    @contextmanager
    def task(self, title: str, total: int, unit: Unit) -> Generator[Advance]:
        if not sys.stderr.isatty():
            yield ProgressLines(title, total, unit)
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        amounts = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(),)
        columns = (TextColumn("{task.description}"), BarColumn(), *amounts, TimeRemainingColumn())
        lock = threading.Lock()
        with Progress(
            *columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True
        ) as bars:
            task = bars.add_task(title, total=total, note="")

            def advance(amount: int, note: str = "", /) -> None:
                with lock:
                    bars.update(task, advance=amount, note=note)

            yield advance
