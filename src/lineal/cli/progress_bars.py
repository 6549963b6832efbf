"""How far a command is: bars with rate and time left on a terminal, a line now and then where stderr is none."""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

from lineal.cli.progress_lines import ProgressLines
from lineal.cli.terminal import remark
from lineal.family.progress import Advance, Unit
from lineal.shown import printable


@final
class TerminalProgress:
    """A `lineal.Progress` on stderr, as the command line has it: `progress=lineal.TerminalProgress()`.

    Bars with rate and time left on a terminal; elsewhere a line for each task, and one now and then.
    """

    def say(self, message: str) -> None:
        """One line that stays, on stderr."""
        remark(message)

    @contextmanager
    def task(self, title: str, total: int, unit: Unit) -> Generator[Advance]:
        """A bar for work of a known size; call what it gives with each amount done."""
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
        title_column, note_column = (
            TextColumn(f"{{task.{what}}}", markup=False) for what in ("description", "fields[note]")
        )
        columns = (title_column, BarColumn(), *amounts, TimeRemainingColumn(), note_column)
        lock = threading.Lock()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(printable(title), total=total, note="")

            def advance(amount: int, note: str = "", /) -> None:
                with lock:
                    bars.update(task, advance=amount, note=printable(note))

            yield advance
