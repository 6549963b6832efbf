"""The `lineal` command: dispatch, and one line for every error."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType

import typer

from lineal.checkpoint.inside import is_utf8
from lineal.cli import terminal, usage_errors
from lineal.cli.app import app
from lineal.errors import LinealError, UsageError
from lineal.shown import quoted
from lineal.system_words import told

INTERRUPTED = 130
UNREAD = 141
"""As of a program that the system ends when its reader has gone."""

_INTERRUPTED_MESSAGE = ("interrupted; the same command continues where it was",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 the answer is no, 2 usage or recipe, 3 files or registry."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    asked = [word for word in words if word != "--debug"] or ["--help"]
    interrupts: list[int] = []
    terminal.open_gate()

    def interrupt(number: int, _: FrameType | None) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        _require_text(asked)
        result = typer.main.get_command(app).main(asked, "lineal", standalone_mode=False)
        if interrupts:  # typer made an exit code of it
            return _fail(KeyboardInterrupt(), _INTERRUPTED_MESSAGE, INTERRUPTED, debug=debug)
        terminal.flush()
        return result if isinstance(result, int) else 0
    except (terminal.ReaderGone, SystemExit) as ended:
        if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
            raise
        terminal.settle()  # typer makes an exit of a pipe that is closed while it shows help
        return UNREAD
    except BaseException as error:
        # a library interrupted while it loads may turn the interrupt into an error of its own
        said = (_INTERRUPTED_MESSAGE, INTERRUPTED) if interrupts else _told(error)
        if said is None:
            raise
        return _fail(error, *said, debug=debug)
    finally:
        _ = signal.signal(signal.SIGINT, before)


def _require_text(words: Sequence[str]) -> None:
    for word in words:
        if not is_utf8(word):
            raise UsageError(f"{quoted(word)} is not UTF-8: rename what it stands for")


def _told(error: BaseException) -> tuple[Sequence[str], int] | None:
    """What is said of an error, in lines, and the exit code; None of one that is a fault of lineal's own."""
    match error:
        case LinealError():
            return error.lines, error.exit_code
        case typer.TyperException():
            return [usage_errors.told(error)], 2
        case OSError():
            return [told(error)], 3
        case MemoryError():
            return ["the machine has no memory left for this"], 3
        case KeyboardInterrupt() | typer.Abort():
            return _INTERRUPTED_MESSAGE, INTERRUPTED
        case _:
            return None


def _fail(error: BaseException, lines: Sequence[str], code: int, *, debug: bool) -> int:
    terminal.settle()
    if debug:
        import traceback

        terminal.remark(*"".join(traceback.format_exception(error)).splitlines())
    first, *others = lines or [type(error).__name__]
    terminal.remark(f"lineal: {first}", *others)
    return code
